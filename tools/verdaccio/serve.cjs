// Runs verdaccio on a free port of the loopback address: `node serve.cjs MODULES CONFIGURATION`.
// Prints the port. Ends when standard input is closed, so that it never outlives the process that started it.
"use strict";

const { createRequire } = require("node:module");

const [modules, configuration] = process.argv.slice(2);
const { runServer } = createRequire(`${modules}/`)("verdaccio");

process.stdin.on("end", () => process.exit(0)).resume();
runServer(configuration).then((server) => {
  server.listen(0, "127.0.0.1", () => console.log(`port ${server.address().port}`));
});
