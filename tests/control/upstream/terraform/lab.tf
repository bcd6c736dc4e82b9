# A laboratory in one subnet: a web server that is reached from outside, and a sensor with a disk for captures, both with
# an address of IPv4 and of IPv6, rules of groups and of the network ACL as resources of their own, and mirroring as a
# module that is given a list of rules.

provider "aws" {
  skip_metadata_api_check = true
}

variable "mine" {
  type    = string
  default = "203.0.113.7/32"
}

data "aws_ami" "linux" {
  most_recent = true
  owners      = ["amazon"]
  filter {
    name   = "name"
    values = ["amzn-ami-hvm-*"]
  }
}

resource "aws_key_pair" "lab" {
  key_name   = "lab"
  public_key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAILKGZP10hZ1RuWyYkPsr8h3f0Yrh0v0hQMC2ek8F2WZM lab"
}

resource "aws_vpc" "lab" {
  cidr_block                       = "10.90.0.0/16"
  assign_generated_ipv6_cidr_block = true
}

resource "aws_subnet" "lab" {
  vpc_id                          = aws_vpc.lab.id
  cidr_block                      = "10.90.1.0/24"
  ipv6_cidr_block                 = cidrsubnet(aws_vpc.lab.ipv6_cidr_block, 8, 1)
  assign_ipv6_address_on_creation = true
}

resource "aws_internet_gateway" "lab" {
  vpc_id = aws_vpc.lab.id
}

resource "aws_egress_only_internet_gateway" "lab" {
  vpc_id = aws_vpc.lab.id
}

resource "aws_default_route_table" "lab" {
  default_route_table_id = aws_vpc.lab.default_route_table_id
  route {
    cidr_block = "0.0.0.0/0"
    gateway_id = aws_internet_gateway.lab.id
  }
  route {
    ipv6_cidr_block        = "::/0"
    egress_only_gateway_id = aws_egress_only_internet_gateway.lab.id
  }
}

resource "aws_network_acl" "lab" {
  vpc_id     = aws_vpc.lab.id
  subnet_ids = [aws_subnet.lab.id]
}

resource "aws_network_acl_rule" "lab" {
  for_each       = { in4 = [100, false, "0.0.0.0/0"], out4 = [100, true, "0.0.0.0/0"] }
  network_acl_id = aws_network_acl.lab.id
  rule_number    = each.value[0]
  egress         = each.value[1]
  cidr_block     = each.value[2]
  protocol       = "-1"
  rule_action    = "allow"
}

resource "aws_network_acl_rule" "six" {
  for_each        = { ingress = false, egress = true }
  network_acl_id  = aws_network_acl.lab.id
  rule_number     = 101
  egress          = each.value
  ipv6_cidr_block = "::/0"
  protocol        = "-1"
  rule_action     = "allow"
}

resource "aws_security_group" "lab" {
  for_each = toset(["web", "sensor"])
  name     = each.key
  vpc_id   = aws_vpc.lab.id
}

resource "aws_vpc_security_group_ingress_rule" "web" {
  for_each          = { http = 80, https = 443 }
  security_group_id = aws_security_group.lab["web"].id
  cidr_ipv4         = "0.0.0.0/0"
  ip_protocol       = "tcp"
  from_port         = each.value
  to_port           = each.value
}

resource "aws_vpc_security_group_ingress_rule" "shell" {
  for_each          = aws_security_group.lab
  security_group_id = each.value.id
  cidr_ipv4         = var.mine
  ip_protocol       = "tcp"
  from_port         = 22
  to_port           = 22
}

resource "aws_vpc_security_group_ingress_rule" "copies" {
  security_group_id            = aws_security_group.lab["sensor"].id
  referenced_security_group_id = aws_security_group.lab["web"].id
  ip_protocol                  = "udp"
  from_port                    = 4789
  to_port                      = 4789
}

resource "aws_vpc_security_group_egress_rule" "all" {
  for_each          = aws_security_group.lab
  security_group_id = each.value.id
  cidr_ipv4         = "0.0.0.0/0"
  ip_protocol       = "-1"
}

resource "aws_instance" "lab" {
  for_each               = { web = 10, sensor = 20 }
  ami                    = data.aws_ami.linux.id
  instance_type          = "t3.large"
  key_name               = aws_key_pair.lab.key_name
  subnet_id              = aws_subnet.lab.id
  private_ip             = cidrhost(aws_subnet.lab.cidr_block, each.value)
  vpc_security_group_ids = [aws_security_group.lab[each.key].id]
  tags                   = { Name = each.key }
}

resource "aws_eip" "web" {
  domain   = "vpc"
  instance = aws_instance.lab["web"].id
}

resource "aws_ebs_volume" "captures" {
  availability_zone = aws_instance.lab["sensor"].availability_zone
  size              = 100
  type              = "gp3"
}

resource "aws_volume_attachment" "captures" {
  device_name = "/dev/sdf"
  volume_id   = aws_ebs_volume.captures.id
  instance_id = aws_instance.lab["sensor"].id
}

data "aws_instance" "sensor" {
  instance_id = aws_instance.lab["sensor"].id
  depends_on  = [aws_volume_attachment.captures]
}

module "mirror" {
  source    = "./lab/mirror"
  sources   = { web = aws_instance.lab["web"].primary_network_interface_id }
  collector = data.aws_instance.sensor.network_interface_id
  rules = [
    { direction = "ingress", action = "reject", source = var.mine, protocol = 6, ports = [22, 22] },
    { direction = "ingress" },
    { direction = "egress" },
    { direction = "ingress", source = "::/0", destination = "::/0" },
  ]
}

output "sensor" {
  value = data.aws_instance.sensor.root_block_device
}
