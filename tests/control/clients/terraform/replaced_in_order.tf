# replaced.tf, with the new target made before the old one is deleted.

variable "collector" {}

provider "aws" {
  skip_metadata_api_check = true
}

data "aws_vpc" "production" {
  tags = { Name = "production" }
}

data "aws_network_interface" "cache" {
  filter {
    name   = "vpc-id"
    values = [data.aws_vpc.production.id]
  }
  filter {
    name   = "private-ip-address"
    values = ["10.0.2.40"]
  }
}

resource "aws_ec2_traffic_mirror_filter" "filter" {}

resource "aws_ec2_traffic_mirror_filter_rule" "local" {
  traffic_mirror_filter_id = aws_ec2_traffic_mirror_filter.filter.id
  traffic_direction        = "ingress"
  rule_number              = 1
  rule_action              = "reject"
  source_cidr_block        = data.aws_vpc.production.cidr_block
  destination_cidr_block   = "0.0.0.0/0"
}

resource "aws_ec2_traffic_mirror_target" "target" {
  network_interface_id = var.collector
  lifecycle { create_before_destroy = true }
}

resource "aws_ec2_traffic_mirror_session" "session" {
  network_interface_id     = data.aws_network_interface.cache.id
  session_number           = 1
  traffic_mirror_filter_id = aws_ec2_traffic_mirror_filter.filter.id
  traffic_mirror_target_id = aws_ec2_traffic_mirror_target.target.id
}
