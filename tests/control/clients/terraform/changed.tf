# first.tf with another value in every field that can be changed in place.

provider "aws" {
  skip_metadata_api_check = true
  default_tags { tags = { team = "network", cost = "42" } }
}

resource "aws_ec2_traffic_mirror_filter" "filter" {
  description      = "traffic mirror filter - terraform example"
  network_services = ["amazon-dns"]
  tags             = { Name = "filter 2", rack = "7" }
}

resource "aws_ec2_traffic_mirror_filter" "plain" {}

resource "aws_ec2_traffic_mirror_filter_rule" "web" {
  traffic_mirror_filter_id = aws_ec2_traffic_mirror_filter.filter.id
  description              = "UDP, from the inside"
  traffic_direction        = "egress"
  rule_number              = 101
  rule_action              = "reject"
  protocol                 = 17
  source_cidr_block        = "10.1.0.0/16"
  destination_cidr_block   = "10.2.0.0/16"
  source_port_range {
    from_port = 53
    to_port   = 54
  }
  destination_port_range {
    from_port = 0
    to_port   = 53
  }
}

resource "aws_ec2_traffic_mirror_filter_rule" "plain" {
  traffic_mirror_filter_id = aws_ec2_traffic_mirror_filter.filter.id
  description              = "DNS"
  traffic_direction        = "egress"
  rule_number              = 200
  rule_action              = "reject"
  protocol                 = 17
  source_cidr_block        = "::/0"
  destination_cidr_block   = "2001:db8::/32"
  destination_port_range {
    from_port = 53
    to_port   = 53
  }
}

resource "aws_ec2_traffic_mirror_target" "collector" {
  description          = "the collector"
  network_interface_id = "eni-0a1b2c3d4e5f60100"
  tags                 = { Name = "collector 2", rack = "7" }
}

data "aws_lb" "sensors" {
  name = "sensors"
}

resource "aws_ec2_traffic_mirror_target" "sensors" {
  network_load_balancer_arn = data.aws_lb.sensors.arn
}

resource "aws_ec2_traffic_mirror_session" "session" {
  description              = "another description"
  network_interface_id     = "eni-0a1b2c3d4e5f60010"
  session_number           = 2
  packet_length            = 200
  virtual_network_id       = 4712
  traffic_mirror_filter_id = aws_ec2_traffic_mirror_filter.plain.id
  traffic_mirror_target_id = aws_ec2_traffic_mirror_target.sensors.id
  tags                     = { Name = "session 2" }
}

resource "aws_ec2_traffic_mirror_session" "plain" {
  network_interface_id     = "eni-0a1b2c3d4e5f60020"
  session_number           = 32765
  packet_length            = 8499
  virtual_network_id       = 16777215
  traffic_mirror_filter_id = aws_ec2_traffic_mirror_filter.plain.id
  traffic_mirror_target_id = aws_ec2_traffic_mirror_target.sensors.id
}
