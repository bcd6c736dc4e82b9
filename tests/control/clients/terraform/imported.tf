# What somebody made with another client, under Terraform from now on. The ids are variables.

variable "filter" {}
variable "rule" {}
variable "target" {}
variable "session" {}

provider "aws" {
  skip_metadata_api_check = true
}

import {
  to = aws_ec2_traffic_mirror_filter.filter
  id = var.filter
}

import {
  to = aws_ec2_traffic_mirror_filter_rule.rule
  id = "${var.filter}:${var.rule}"
}

import {
  to = aws_ec2_traffic_mirror_target.target
  id = var.target
}

import {
  to = aws_ec2_traffic_mirror_session.session
  id = var.session
}

resource "aws_ec2_traffic_mirror_filter" "filter" {
  description      = "made elsewhere"
  network_services = ["amazon-dns"]
  tags             = { Name = "filter" }
}

resource "aws_ec2_traffic_mirror_filter_rule" "rule" {
  traffic_mirror_filter_id = aws_ec2_traffic_mirror_filter.filter.id
  traffic_direction        = "ingress"
  rule_number              = 10
  rule_action              = "accept"
  protocol                 = 17
  source_cidr_block        = "0.0.0.0/0"
  destination_cidr_block   = "0.0.0.0/0"
  destination_port_range {
    from_port = 0
    to_port   = 0
  }
}

data "aws_vpc_endpoint" "sensors" {
  state = "available"
}

resource "aws_ec2_traffic_mirror_target" "target" {
  gateway_load_balancer_endpoint_id = data.aws_vpc_endpoint.sensors.id
  tags                              = { Name = "target" }
}

resource "aws_ec2_traffic_mirror_session" "session" {
  description              = "made elsewhere"
  network_interface_id     = "eni-0a1b2c3d4e5f60030"
  session_number           = 7
  traffic_mirror_filter_id = aws_ec2_traffic_mirror_filter.filter.id
  traffic_mirror_target_id = aws_ec2_traffic_mirror_target.target.id
  tags                     = { Name = "session" }
}
