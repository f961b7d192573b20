-- Every unit asks for these with every change of a deployment, and they are few among many.

create index deployment_daemon on deployment (id) where type = 'daemon';
