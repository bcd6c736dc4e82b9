#!/bin/sh
# Inbound TCP to one appliance, inbound UDP to another.
# What AWS_ENDPOINT_URL and the credentials say is where it is set up.
set -e
ec2() { aws ec2 "$@" --output text; }

tcp_filter=$(ec2 create-traffic-mirror-filter --query TrafficMirrorFilter.TrafficMirrorFilterId)
ec2 create-traffic-mirror-filter-rule --traffic-mirror-filter-id "$tcp_filter" \
    --traffic-direction ingress --rule-number 100 --rule-action accept --protocol 6 \
    --source-cidr-block 0.0.0.0/0 --destination-cidr-block 0.0.0.0/0 \
    --query TrafficMirrorFilterRule.RuleNumber >/dev/null

udp_filter=$(ec2 create-traffic-mirror-filter --query TrafficMirrorFilter.TrafficMirrorFilterId)
ec2 create-traffic-mirror-filter-rule --traffic-mirror-filter-id "$udp_filter" \
    --traffic-direction ingress --rule-number 100 --rule-action accept --protocol 17 \
    --source-cidr-block 0.0.0.0/0 --destination-cidr-block 0.0.0.0/0 \
    --query TrafficMirrorFilterRule.RuleNumber >/dev/null

a_target=$(ec2 create-traffic-mirror-target \
    --network-interface-id eni-0a1b2c3d4e5f60100 \
    --query TrafficMirrorTarget.TrafficMirrorTargetId)
b_target=$(ec2 create-traffic-mirror-target \
    --network-interface-id eni-0a1b2c3d4e5f60101 \
    --query TrafficMirrorTarget.TrafficMirrorTargetId)

ec2 create-traffic-mirror-session --network-interface-id eni-0a1b2c3d4e5f60010 --session-number 1 \
    --traffic-mirror-filter-id "$tcp_filter" --traffic-mirror-target-id "$a_target" \
    --virtual-network-id 1001 --query TrafficMirrorSession.TrafficMirrorSessionId
ec2 create-traffic-mirror-session --network-interface-id eni-0a1b2c3d4e5f60010 --session-number 2 \
    --traffic-mirror-filter-id "$udp_filter" --traffic-mirror-target-id "$b_target" \
    --virtual-network-id 1002 --query TrafficMirrorSession.TrafficMirrorSessionId
