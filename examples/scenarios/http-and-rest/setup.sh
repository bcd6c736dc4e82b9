#!/bin/sh
# HTTP to one tool, all other TCP to another.
# What AWS_ENDPOINT_URL and the credentials say is where it is set up.
set -e
ec2() { aws ec2 "$@" --output text; }

http_filter=$(ec2 create-traffic-mirror-filter --query TrafficMirrorFilter.TrafficMirrorFilterId)
ec2 create-traffic-mirror-filter-rule --traffic-mirror-filter-id "$http_filter" \
    --traffic-direction ingress --rule-number 100 --rule-action accept --protocol 6 \
    --destination-port-range FromPort=80,ToPort=80 \
    --source-cidr-block 0.0.0.0/0 --destination-cidr-block 0.0.0.0/0 \
    --query TrafficMirrorFilterRule.RuleNumber >/dev/null
ec2 create-traffic-mirror-filter-rule --traffic-mirror-filter-id "$http_filter" \
    --traffic-direction egress --rule-number 100 --rule-action accept --protocol 6 \
    --source-port-range FromPort=80,ToPort=80 \
    --source-cidr-block 0.0.0.0/0 --destination-cidr-block 0.0.0.0/0 \
    --query TrafficMirrorFilterRule.RuleNumber >/dev/null

rest_filter=$(ec2 create-traffic-mirror-filter --query TrafficMirrorFilter.TrafficMirrorFilterId)
ec2 create-traffic-mirror-filter-rule --traffic-mirror-filter-id "$rest_filter" \
    --traffic-direction ingress --rule-number 100 --rule-action accept --protocol 6 \
    --source-cidr-block 0.0.0.0/0 --destination-cidr-block 0.0.0.0/0 \
    --query TrafficMirrorFilterRule.RuleNumber >/dev/null
ec2 create-traffic-mirror-filter-rule --traffic-mirror-filter-id "$rest_filter" \
    --traffic-direction egress --rule-number 100 --rule-action accept --protocol 6 \
    --source-cidr-block 0.0.0.0/0 --destination-cidr-block 0.0.0.0/0 \
    --query TrafficMirrorFilterRule.RuleNumber >/dev/null

http_tool_target=$(ec2 create-traffic-mirror-target \
    --network-interface-id eni-0a1b2c3d4e5f60100 \
    --query TrafficMirrorTarget.TrafficMirrorTargetId)
other_tool_target=$(ec2 create-traffic-mirror-target \
    --network-interface-id eni-0a1b2c3d4e5f60101 \
    --query TrafficMirrorTarget.TrafficMirrorTargetId)

ec2 create-traffic-mirror-session --network-interface-id eni-0a1b2c3d4e5f60010 --session-number 1 \
    --traffic-mirror-filter-id "$http_filter" --traffic-mirror-target-id "$http_tool_target" \
    --virtual-network-id 1004 --query TrafficMirrorSession.TrafficMirrorSessionId
ec2 create-traffic-mirror-session --network-interface-id eni-0a1b2c3d4e5f60010 --session-number 2 \
    --traffic-mirror-filter-id "$rest_filter" --traffic-mirror-target-id "$other_tool_target" \
    --virtual-network-id 1005 --query TrafficMirrorSession.TrafficMirrorSessionId
