# An inspection VPC with sensors behind a Gateway Load Balancer, and an endpoint of it in each zone of the VPC that is
# watched: a mirror target for each zone, and each instance's session with the target of its own zone.

provider "aws" {
  skip_metadata_api_check = true
}

variable "workloads" {
  type = map(object({ zone = number, type = string }))
  default = {
    web   = { zone = 0, type = "m5.large" }
    api   = { zone = 1, type = "c5.large" }
    batch = { zone = 1, type = "r5.large" }
  }
}

locals {
  zones = { for index in range(2) : data.aws_availability_zones.here.names[index] => index }
}

data "aws_availability_zones" "here" {
  state = "available"
}

data "aws_ami" "linux" {
  most_recent = true
  owners      = ["amazon"]
  filter {
    name   = "name"
    values = ["amzn-ami-hvm-*"]
  }
}

resource "aws_vpc" "this" {
  for_each   = { inspection = "10.80.0.0/16", workload = "10.81.0.0/16" }
  cidr_block = each.value
  tags       = { Name = each.key }
}

resource "aws_subnet" "inspection" {
  for_each          = local.zones
  vpc_id            = aws_vpc.this["inspection"].id
  availability_zone = each.key
  cidr_block        = cidrsubnet(aws_vpc.this["inspection"].cidr_block, 8, each.value)
}

resource "aws_subnet" "workload" {
  for_each          = local.zones
  vpc_id            = aws_vpc.this["workload"].id
  availability_zone = each.key
  cidr_block        = cidrsubnet(aws_vpc.this["workload"].cidr_block, 8, each.value)
}

resource "aws_lb" "sensors" {
  name               = "sensors"
  load_balancer_type = "gateway"
  subnets            = [for each in aws_subnet.inspection : each.id]
}

resource "aws_lb_target_group" "sensors" {
  name        = "sensors"
  protocol    = "GENEVE"
  port        = 6081
  vpc_id      = aws_vpc.this["inspection"].id
  target_type = "ip"
  health_check {
    protocol = "TCP"
    port     = 443
  }
}

resource "aws_lb_listener" "sensors" {
  load_balancer_arn = aws_lb.sensors.arn
  default_action {
    type             = "forward"
    target_group_arn = aws_lb_target_group.sensors.arn
  }
}

resource "aws_instance" "sensor" {
  for_each      = aws_subnet.inspection
  ami           = data.aws_ami.linux.id
  instance_type = "c5n.xlarge"
  subnet_id     = each.value.id
}

resource "aws_lb_target_group_attachment" "sensor" {
  for_each         = aws_instance.sensor
  target_group_arn = aws_lb_target_group.sensors.arn
  target_id        = each.value.private_ip
}

resource "aws_vpc_endpoint_service" "sensors" {
  acceptance_required        = false
  gateway_load_balancer_arns = [aws_lb.sensors.arn]
}

resource "aws_vpc_endpoint" "sensors" {
  for_each          = aws_subnet.workload
  service_name      = aws_vpc_endpoint_service.sensors.service_name
  vpc_endpoint_type = aws_vpc_endpoint_service.sensors.service_type
  vpc_id            = each.value.vpc_id
  subnet_ids        = [each.value.id]
}

resource "aws_instance" "workload" {
  for_each      = var.workloads
  ami           = data.aws_ami.linux.id
  instance_type = each.value.type
  subnet_id     = aws_subnet.workload[data.aws_availability_zones.here.names[each.value.zone]].id
  tags          = { Name = each.key }
}

resource "aws_ec2_traffic_mirror_target" "zone" {
  for_each                          = aws_vpc_endpoint.sensors
  description                       = each.key
  gateway_load_balancer_endpoint_id = each.value.id
}

resource "aws_ec2_traffic_mirror_filter" "all" {}

resource "aws_ec2_traffic_mirror_filter_rule" "all" {
  for_each                 = { for pair in setproduct(["ingress", "egress"], [6, 17]) : join("-", pair) => pair }
  traffic_mirror_filter_id = aws_ec2_traffic_mirror_filter.all.id
  traffic_direction        = each.value[0]
  protocol                 = each.value[1]
  rule_number              = each.value[1]
  rule_action              = "accept"
  source_cidr_block        = "10.0.0.0/8"
  destination_cidr_block   = "10.0.0.0/8"
}

resource "aws_ec2_traffic_mirror_session" "workload" {
  for_each                 = aws_instance.workload
  description              = each.key
  network_interface_id     = each.value.primary_network_interface_id
  session_number           = 1
  traffic_mirror_filter_id = aws_ec2_traffic_mirror_filter.all.id
  traffic_mirror_target_id = aws_ec2_traffic_mirror_target.zone[each.value.availability_zone].id
}
