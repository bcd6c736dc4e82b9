# A filter with rules, two targets and two sessions; what is optional is left out once.

provider "aws" {
  skip_metadata_api_check = true
  default_tags { tags = { team = "security", cost = "42" } }
}

resource "aws_ec2_traffic_mirror_filter" "filter" {
  description = "traffic mirror filter - terraform example"
  tags        = { Name = "filter" }
}

resource "aws_ec2_traffic_mirror_filter" "plain" {}

resource "aws_ec2_traffic_mirror_filter_rule" "web" {
  traffic_mirror_filter_id = aws_ec2_traffic_mirror_filter.filter.id
  description              = "HTTP, from anywhere"
  traffic_direction        = "ingress"
  rule_number              = 100
  rule_action              = "accept"
  protocol                 = 6
  source_cidr_block        = "0.0.0.0/0"
  destination_cidr_block   = "10.0.0.0/16"
  source_port_range {
    from_port = 1024
    to_port   = 65535
  }
  destination_port_range {
    from_port = 80
    to_port   = 80
  }
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
  tags                 = { Name = "collector" }
}

data "aws_lb" "sensors" {
  name = "sensors"
}

resource "aws_ec2_traffic_mirror_target" "sensors" {
  network_load_balancer_arn = data.aws_lb.sensors.arn
}

resource "aws_ec2_traffic_mirror_session" "session" {
  description              = "traffic mirror session - terraform example"
  network_interface_id     = "eni-0a1b2c3d4e5f60010"
  session_number           = 1
  packet_length            = 100
  virtual_network_id       = 4711
  traffic_mirror_filter_id = aws_ec2_traffic_mirror_filter.filter.id
  traffic_mirror_target_id = aws_ec2_traffic_mirror_target.collector.id
  tags                     = { Name = "session", cost = "43" }
}

resource "aws_ec2_traffic_mirror_session" "plain" {
  network_interface_id     = "eni-0a1b2c3d4e5f60020"
  session_number           = 32766
  traffic_mirror_filter_id = aws_ec2_traffic_mirror_filter.plain.id
  traffic_mirror_target_id = aws_ec2_traffic_mirror_target.sensors.id
}
