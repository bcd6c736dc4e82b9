#!/bin/sh
# Inbound TCP of two spoke VPCs, each by an endpoint of its own, to the appliances behind one Gateway Load Balancer.
# What AWS_ENDPOINT_URL and the credentials say is where it is set up.
set -e
ec2() { aws ec2 "$@" --output text; }

tcp_filter=$(ec2 create-traffic-mirror-filter --query TrafficMirrorFilter.TrafficMirrorFilterId)
ec2 create-traffic-mirror-filter-rule --traffic-mirror-filter-id "$tcp_filter" \
    --traffic-direction ingress --rule-number 100 --rule-action accept --protocol 6 \
    --source-cidr-block 0.0.0.0/0 --destination-cidr-block 0.0.0.0/0 \
    --query TrafficMirrorFilterRule.RuleNumber >/dev/null

spoke_1_target=$(ec2 create-traffic-mirror-target \
    --gateway-load-balancer-endpoint-id vpce-0a1b2c3d4e5f61001 \
    --query TrafficMirrorTarget.TrafficMirrorTargetId)
spoke_2_target=$(ec2 create-traffic-mirror-target \
    --gateway-load-balancer-endpoint-id vpce-0a1b2c3d4e5f62001 \
    --query TrafficMirrorTarget.TrafficMirrorTargetId)

ec2 create-traffic-mirror-session --network-interface-id eni-0a1b2c3d4e5f61010 --session-number 1 \
    --traffic-mirror-filter-id "$tcp_filter" --traffic-mirror-target-id "$spoke_1_target" \
    --virtual-network-id 2001 --query TrafficMirrorSession.TrafficMirrorSessionId
ec2 create-traffic-mirror-session --network-interface-id eni-0a1b2c3d4e5f62010 --session-number 1 \
    --traffic-mirror-filter-id "$tcp_filter" --traffic-mirror-target-id "$spoke_2_target" \
    --virtual-network-id 2002 --query TrafficMirrorSession.TrafficMirrorSessionId
