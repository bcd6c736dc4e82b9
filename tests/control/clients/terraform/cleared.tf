# changed.tf with everything left out that can be left out. No tags by default.

provider "aws" {
  skip_metadata_api_check = true
}

resource "aws_ec2_traffic_mirror_filter" "filter" {
  description = "traffic mirror filter - terraform example"
}

resource "aws_ec2_traffic_mirror_filter" "plain" {}

resource "aws_ec2_traffic_mirror_filter_rule" "web" {
  traffic_mirror_filter_id = aws_ec2_traffic_mirror_filter.filter.id
  traffic_direction        = "egress"
  rule_number              = 101
  rule_action              = "reject"
  protocol                 = 17
  source_cidr_block        = "10.1.0.0/16"
  destination_cidr_block   = "10.2.0.0/16"
}

resource "aws_ec2_traffic_mirror_filter_rule" "plain" {
  traffic_mirror_filter_id = aws_ec2_traffic_mirror_filter.filter.id
  traffic_direction        = "egress"
  rule_number              = 200
  rule_action              = "reject"
  source_cidr_block        = "::/0"
  destination_cidr_block   = "2001:db8::/32"
}

resource "aws_ec2_traffic_mirror_target" "collector" {
  description          = "the collector"
  network_interface_id = "eni-0a1b2c3d4e5f60100"
}

data "aws_lb" "sensors" {
  name = "sensors"
}

resource "aws_ec2_traffic_mirror_target" "sensors" {
  network_load_balancer_arn = data.aws_lb.sensors.arn
}

resource "aws_ec2_traffic_mirror_session" "session" {
  network_interface_id     = "eni-0a1b2c3d4e5f60010"
  session_number           = 2
  traffic_mirror_filter_id = aws_ec2_traffic_mirror_filter.plain.id
  traffic_mirror_target_id = aws_ec2_traffic_mirror_target.sensors.id
}

resource "aws_ec2_traffic_mirror_session" "plain" {
  network_interface_id     = "eni-0a1b2c3d4e5f60020"
  session_number           = 32765
  traffic_mirror_filter_id = aws_ec2_traffic_mirror_filter.plain.id
  traffic_mirror_target_id = aws_ec2_traffic_mirror_target.sensors.id
}
