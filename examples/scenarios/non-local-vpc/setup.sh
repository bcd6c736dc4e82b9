#!/bin/sh
# All traffic that enters or leaves the VPC; none within it.
# What AWS_ENDPOINT_URL and the credentials say is where it is set up.
set -e
ec2() { aws ec2 "$@" --output text; }

leaving_filter=$(ec2 create-traffic-mirror-filter --query TrafficMirrorFilter.TrafficMirrorFilterId)
ec2 create-traffic-mirror-filter-rule --traffic-mirror-filter-id "$leaving_filter" \
    --traffic-direction ingress --rule-number 10 --rule-action reject \
    --source-cidr-block 10.0.0.0/16 --destination-cidr-block 0.0.0.0/0 \
    --query TrafficMirrorFilterRule.RuleNumber >/dev/null
ec2 create-traffic-mirror-filter-rule --traffic-mirror-filter-id "$leaving_filter" \
    --traffic-direction ingress --rule-number 20 --rule-action accept \
    --source-cidr-block 0.0.0.0/0 --destination-cidr-block 0.0.0.0/0 \
    --query TrafficMirrorFilterRule.RuleNumber >/dev/null
ec2 create-traffic-mirror-filter-rule --traffic-mirror-filter-id "$leaving_filter" \
    --traffic-direction egress --rule-number 10 --rule-action reject \
    --source-cidr-block 0.0.0.0/0 --destination-cidr-block 10.0.0.0/16 \
    --query TrafficMirrorFilterRule.RuleNumber >/dev/null
ec2 create-traffic-mirror-filter-rule --traffic-mirror-filter-id "$leaving_filter" \
    --traffic-direction egress --rule-number 20 --rule-action accept \
    --source-cidr-block 0.0.0.0/0 --destination-cidr-block 0.0.0.0/0 \
    --query TrafficMirrorFilterRule.RuleNumber >/dev/null

a_target=$(ec2 create-traffic-mirror-target \
    --network-interface-id eni-0a1b2c3d4e5f60100 \
    --query TrafficMirrorTarget.TrafficMirrorTargetId)

ec2 create-traffic-mirror-session --network-interface-id eni-0a1b2c3d4e5f60010 --session-number 1 \
    --traffic-mirror-filter-id "$leaving_filter" --traffic-mirror-target-id "$a_target" \
    --virtual-network-id 1003 --query TrafficMirrorSession.TrafficMirrorSessionId
