#!/usr/bin/env node
// The program of the demo's deployments: a small real HTTP server that says which deployment it is.
"use strict";

const http = require("node:http");

const body = `${process.env.DEPLOYMENT_ID} ${process.env.NODEUNIT_CLAIM_VERSION}\n`;

process.on("SIGTERM", () => process.exit(0));

const server = http.createServer((request, response) => {
  const found = request.url === "/";
  response.writeHead(found ? 200 : 404, { "Content-Type": "text/plain" });
  response.end(found ? body : "");
});

// The log tells others the port, which the kernel chooses unless the deployment has one.
server.listen(Number(process.env.PORT || 0), "127.0.0.1", () => {
  console.log(`listening on http://127.0.0.1:${server.address().port}/`);
});
