# A security account has the collector and shares its target; a workload account watches its own instance with it, over a
# peering connection that both sides agreed on. Two providers, one for each account.

variable "workload" {
  type    = string
  default = "210987654321"
}

provider "aws" {
  skip_metadata_api_check = true
}

provider "aws" {
  alias                   = "workload"
  profile                 = var.workload
  skip_metadata_api_check = true
}

data "aws_caller_identity" "workload" {
  provider = aws.workload
}

data "aws_ami" "linux" {
  most_recent = true
  owners      = ["amazon"]
  filter {
    name   = "name"
    values = ["amzn-ami-hvm-*"]
  }
}

resource "aws_vpc" "security" {
  cidr_block = "10.70.0.0/16"
}

resource "aws_subnet" "security" {
  vpc_id     = aws_vpc.security.id
  cidr_block = "10.70.1.0/24"
}

resource "aws_vpc" "workload" {
  provider   = aws.workload
  cidr_block = "10.71.0.0/16"
}

resource "aws_subnet" "workload" {
  provider   = aws.workload
  vpc_id     = aws_vpc.workload.id
  cidr_block = "10.71.1.0/24"
}

resource "aws_vpc_peering_connection" "both" {
  provider      = aws.workload
  vpc_id        = aws_vpc.workload.id
  peer_vpc_id   = aws_vpc.security.id
  peer_owner_id = aws_vpc.security.owner_id
}

resource "aws_vpc_peering_connection_accepter" "both" {
  vpc_peering_connection_id = aws_vpc_peering_connection.both.id
  auto_accept               = true
}

resource "aws_route" "there" {
  provider                  = aws.workload
  route_table_id            = aws_vpc.workload.main_route_table_id
  destination_cidr_block    = aws_vpc.security.cidr_block
  vpc_peering_connection_id = aws_vpc_peering_connection_accepter.both.vpc_peering_connection_id
}

resource "aws_route" "back" {
  route_table_id            = aws_vpc.security.main_route_table_id
  destination_cidr_block    = aws_vpc.workload.cidr_block
  vpc_peering_connection_id = aws_vpc_peering_connection_accepter.both.vpc_peering_connection_id
}

resource "aws_security_group" "collector" {
  name   = "collector"
  vpc_id = aws_vpc.security.id
  ingress {
    from_port   = 4789
    to_port     = 4789
    protocol    = "udp"
    cidr_blocks = [aws_vpc.workload.cidr_block]
  }
}

resource "aws_instance" "collector" {
  ami                    = data.aws_ami.linux.id
  instance_type          = "m5.large"
  subnet_id              = aws_subnet.security.id
  vpc_security_group_ids = [aws_security_group.collector.id]
}

resource "aws_instance" "watched" {
  provider      = aws.workload
  ami           = data.aws_ami.linux.id
  instance_type = "m5.large"
  subnet_id     = aws_subnet.workload.id
}

resource "aws_ec2_traffic_mirror_target" "collector" {
  network_interface_id = aws_instance.collector.primary_network_interface_id
}

resource "aws_ram_resource_share" "collector" {
  name                      = "collector"
  allow_external_principals = true
}

resource "aws_ram_resource_association" "collector" {
  resource_share_arn = aws_ram_resource_share.collector.arn
  resource_arn       = aws_ec2_traffic_mirror_target.collector.arn
}

resource "aws_ram_principal_association" "workload" {
  resource_share_arn = aws_ram_resource_share.collector.arn
  principal          = data.aws_caller_identity.workload.account_id
}

resource "aws_ram_resource_share_accepter" "workload" {
  provider   = aws.workload
  share_arn  = aws_ram_principal_association.workload.resource_share_arn
  depends_on = [aws_ram_resource_association.collector]
}

resource "aws_ec2_traffic_mirror_filter" "all" {
  provider = aws.workload
}

resource "aws_ec2_traffic_mirror_filter_rule" "all" {
  provider                 = aws.workload
  traffic_mirror_filter_id = aws_ec2_traffic_mirror_filter.all.id
  rule_number              = 1
  rule_action              = "accept"
  traffic_direction        = "ingress"
  source_cidr_block        = "0.0.0.0/0"
  destination_cidr_block   = "0.0.0.0/0"
}

resource "aws_ec2_traffic_mirror_session" "watched" {
  provider                 = aws.workload
  network_interface_id     = aws_instance.watched.primary_network_interface_id
  session_number           = 1
  traffic_mirror_filter_id = aws_ec2_traffic_mirror_filter.all.id
  traffic_mirror_target_id = aws_ec2_traffic_mirror_target.collector.id
  depends_on = [
    aws_ram_resource_share_accepter.workload,
    aws_route.there,
    aws_route.back,
  ]
}
