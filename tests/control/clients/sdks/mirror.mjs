// Somebody's program with the AWS SDK for JavaScript: mirroring is set up, looked at, changed and taken away.
// mirror.mjs SOURCE COLLECTOR, and prints what it saw as JSON.

import { createRequire } from "node:module";

const {
  EC2Client,
  CreateTrafficMirrorFilterCommand,
  CreateTrafficMirrorFilterRuleCommand,
  CreateTrafficMirrorSessionCommand,
  CreateTrafficMirrorTargetCommand,
  DeleteTrafficMirrorFilterCommand,
  DeleteTrafficMirrorSessionCommand,
  DeleteTrafficMirrorTargetCommand,
  DescribeTrafficMirrorSessionsCommand,
  ModifyTrafficMirrorFilterNetworkServicesCommand,
  ModifyTrafficMirrorSessionCommand,
  paginateDescribeTrafficMirrorFilters,
} = createRequire(process.env.SDK)("@aws-sdk/client-ec2");

const [source, collector] = process.argv.slice(2);
const ec2 = new EC2Client();
const ask = (command) => ec2.send(command);

const target = await ask(
  new CreateTrafficMirrorTargetCommand({
    NetworkInterfaceId: collector,
    TagSpecifications: [{ ResourceType: "traffic-mirror-target", Tags: [{ Key: "Name", Value: "a & b" }] }],
  }),
);
const targetId = target.TrafficMirrorTarget.TrafficMirrorTargetId;

const filterIds = [];
for (let number = 0; number < 6; number++) {
  const made = await ask(new CreateTrafficMirrorFilterCommand({ Description: `${number}` }));
  filterIds.push(made.TrafficMirrorFilter.TrafficMirrorFilterId);
}
await ask(
  new ModifyTrafficMirrorFilterNetworkServicesCommand({
    TrafficMirrorFilterId: filterIds[0],
    AddNetworkServices: ["amazon-dns"],
  }),
);
await ask(
  new CreateTrafficMirrorFilterRuleCommand({
    TrafficMirrorFilterId: filterIds[0],
    TrafficDirection: "ingress",
    RuleNumber: 7,
    RuleAction: "accept",
    Protocol: 6,
    DestinationPortRange: { FromPort: 443, ToPort: 443 },
    SourceCidrBlock: "0.0.0.0/0",
    DestinationCidrBlock: "0.0.0.0/0",
  }),
);
const pages = [];
const found = [];
for await (const page of paginateDescribeTrafficMirrorFilters({ client: ec2, pageSize: 5 }, {})) {
  pages.push(page.TrafficMirrorFilters.length);
  found.push(...page.TrafficMirrorFilters);
}
const filter = found.find((each) => each.TrafficMirrorFilterId === filterIds[0]);

const made = await ask(
  new CreateTrafficMirrorSessionCommand({
    NetworkInterfaceId: source,
    TrafficMirrorFilterId: filterIds[0],
    TrafficMirrorTargetId: targetId,
    SessionNumber: 1,
    VirtualNetworkId: 4660,
    PacketLength: 128,
    Description: "first",
  }),
);
const sessionId = made.TrafficMirrorSession.TrafficMirrorSessionId;
await ask(
  new ModifyTrafficMirrorSessionCommand({
    TrafficMirrorSessionId: sessionId,
    SessionNumber: 2,
    RemoveFields: ["packet-length", "description"],
  }),
);
const sessions = await ask(
  new DescribeTrafficMirrorSessionsCommand({ Filters: [{ Name: "session-number", Values: ["2"] }] }),
);
const session = sessions.TrafficMirrorSessions[0];

let refused = "nothing";
try {
  await ask(new DeleteTrafficMirrorFilterCommand({ TrafficMirrorFilterId: filterIds[0] }));
} catch (error) {
  refused = error.name;
}
await ask(new DeleteTrafficMirrorSessionCommand({ TrafficMirrorSessionId: sessionId }));
await ask(new DeleteTrafficMirrorTargetCommand({ TrafficMirrorTargetId: targetId }));
for (const each of filterIds) {
  await ask(new DeleteTrafficMirrorFilterCommand({ TrafficMirrorFilterId: each }));
}
console.log(
  JSON.stringify({
    tag: target.TrafficMirrorTarget.Tags[0].Value,
    pages,
    services: filter.NetworkServices,
    ports: filter.IngressFilterRules.map((rule) => rule.DestinationPortRange.FromPort),
    session: [
      session.SessionNumber,
      session.VirtualNetworkId,
      session.PacketLength ?? null,
      session.Description ?? null,
    ],
    refused,
  }),
);
