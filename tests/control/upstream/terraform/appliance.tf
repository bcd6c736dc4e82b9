# Instances that are watched, and one appliance with an interface of its own for copies: two subnets with IPv6, routes,
# security groups, a network ACL, an image that is looked up, an interface as device 0 and one that is attached.

provider "aws" {
  skip_metadata_api_check = true
}

locals {
  name = "watch"
  zones = slice(data.aws_availability_zones.here.names, 0, 2)
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
  cidr_block                       = "10.20.0.0/16"
  assign_generated_ipv6_cidr_block = true
  enable_dns_hostnames             = true
  tags                             = { Name = local.name }
}

resource "aws_internet_gateway" "this" {
  vpc_id = aws_vpc.this.id
}

resource "aws_subnet" "this" {
  for_each          = { for index, zone in local.zones : zone => index }
  vpc_id            = aws_vpc.this.id
  availability_zone = each.key
  cidr_block        = cidrsubnet(aws_vpc.this.cidr_block, 8, each.value)
  ipv6_cidr_block   = cidrsubnet(aws_vpc.this.ipv6_cidr_block, 8, each.value)
  tags              = { Name = "${local.name}-${each.value}" }
}

resource "aws_route_table" "this" {
  vpc_id = aws_vpc.this.id
  route {
    cidr_block = "0.0.0.0/0"
    gateway_id = aws_internet_gateway.this.id
  }
}

resource "aws_route_table_association" "this" {
  for_each       = aws_subnet.this
  subnet_id      = each.value.id
  route_table_id = aws_route_table.this.id
}

resource "aws_network_acl" "this" {
  vpc_id     = aws_vpc.this.id
  subnet_ids = [for each in aws_subnet.this : each.id]
  ingress {
    protocol   = "-1"
    rule_no    = 100
    action     = "allow"
    cidr_block = "0.0.0.0/0"
    from_port  = 0
    to_port    = 0
  }
}

resource "aws_security_group" "collector" {
  name_prefix = "${local.name}-"
  vpc_id      = aws_vpc.this.id
  ingress {
    description = "VXLAN"
    from_port   = 4789
    to_port     = 4789
    protocol    = "udp"
    cidr_blocks = [aws_vpc.this.cidr_block]
  }
  egress {
    from_port   = 0
    to_port     = 0
    protocol    = "-1"
    cidr_blocks = ["0.0.0.0/0"]
  }
  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_network_interface" "source" {
  subnet_id          = values(aws_subnet.this)[0].id
  private_ips        = ["10.20.0.10"]
  ipv6_address_count = 1
}

resource "aws_instance" "source" {
  ami           = data.aws_ami.linux.id
  instance_type = "m5.large"
  network_interface {
    device_index         = 0
    network_interface_id = aws_network_interface.source.id
  }
  tags = { Name = "${local.name}-source" }
}

resource "aws_instance" "appliance" {
  ami                    = data.aws_ami.linux.id
  instance_type          = "c5.xlarge"
  subnet_id              = values(aws_subnet.this)[0].id
  vpc_security_group_ids = [aws_security_group.collector.id]
  user_data              = "#!/bin/sh\nip link add mirror type vxlan id 100 dev eth1 dstport 4789\n"
  root_block_device {
    volume_size = 20
  }
  tags = { Name = "${local.name}-appliance" }
}

resource "aws_network_interface" "collector" {
  subnet_id         = values(aws_subnet.this)[0].id
  security_groups   = [aws_security_group.collector.id]
  source_dest_check = false
  attachment {
    instance     = aws_instance.appliance.id
    device_index = 1
  }
}

resource "aws_ec2_traffic_mirror_target" "this" {
  network_interface_id = aws_network_interface.collector.id
}

resource "aws_ec2_traffic_mirror_filter" "this" {
  network_services = ["amazon-dns"]
}

resource "aws_ec2_traffic_mirror_filter_rule" "this" {
  for_each                 = toset(["ingress", "egress"])
  traffic_mirror_filter_id = aws_ec2_traffic_mirror_filter.this.id
  traffic_direction        = each.key
  rule_number              = 100
  rule_action              = "accept"
  source_cidr_block        = "0.0.0.0/0"
  destination_cidr_block   = "0.0.0.0/0"
}

resource "aws_ec2_traffic_mirror_session" "this" {
  for_each                 = { source = aws_network_interface.source.id }
  network_interface_id     = each.value
  session_number           = 1
  virtual_network_id       = 100
  traffic_mirror_filter_id = aws_ec2_traffic_mirror_filter.this.id
  traffic_mirror_target_id = aws_ec2_traffic_mirror_target.this.id
  tags                     = { Name = each.key }
}

data "aws_network_interface" "appliance" {
  id = aws_instance.appliance.primary_network_interface_id
}

output "source" {
  value = aws_network_interface.source.id
}

output "collector" {
  value = aws_network_interface.collector.private_ip
}
