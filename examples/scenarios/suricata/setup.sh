#!/bin/sh
# Inbound TCP to an instance with Suricata.
# What AWS_ENDPOINT_URL and the credentials say is where it is set up.
set -e
ec2() { aws ec2 "$@" --output text; }

tcp_filter=$(ec2 create-traffic-mirror-filter --query TrafficMirrorFilter.TrafficMirrorFilterId)
ec2 create-traffic-mirror-filter-rule --traffic-mirror-filter-id "$tcp_filter" \
    --traffic-direction ingress --rule-number 100 --rule-action accept --protocol 6 \
    --source-cidr-block 0.0.0.0/0 --destination-cidr-block 0.0.0.0/0 \
    --query TrafficMirrorFilterRule.RuleNumber >/dev/null

suricata_target=$(ec2 create-traffic-mirror-target \
    --network-interface-id eni-0a1b2c3d4e5f60100 \
    --query TrafficMirrorTarget.TrafficMirrorTargetId)

ec2 create-traffic-mirror-session --network-interface-id eni-0a1b2c3d4e5f60010 --session-number 1 \
    --traffic-mirror-filter-id "$tcp_filter" --traffic-mirror-target-id "$suricata_target" \
    --virtual-network-id 1006 --query TrafficMirrorSession.TrafficMirrorSessionId
