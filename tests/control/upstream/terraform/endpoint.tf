# A Gateway Load Balancer with its endpoint service, and copies to the endpoint in another VPC that is peered with it.

provider "aws" {
  skip_metadata_api_check = true
}

resource "aws_vpc" "security" {
  cidr_block = "10.40.0.0/16"
}

resource "aws_subnet" "security" {
  vpc_id     = aws_vpc.security.id
  cidr_block = "10.40.1.0/24"
}

resource "aws_vpc" "work" {
  cidr_block = "10.41.0.0/16"
}

resource "aws_subnet" "work" {
  vpc_id     = aws_vpc.work.id
  cidr_block = "10.41.1.0/24"
}

resource "aws_vpc_peering_connection" "this" {
  vpc_id      = aws_vpc.work.id
  peer_vpc_id = aws_vpc.security.id
  auto_accept = true
}

resource "aws_lb" "inspect" {
  name               = "inspect"
  load_balancer_type = "gateway"
  subnets            = [aws_subnet.security.id]
}

resource "aws_lb_target_group" "inspect" {
  name     = "inspect"
  port     = 6081
  protocol = "GENEVE"
  vpc_id   = aws_vpc.security.id
  health_check {
    port     = 80
    protocol = "HTTP"
  }
}

resource "aws_vpc_endpoint_service" "inspect" {
  acceptance_required        = false
  gateway_load_balancer_arns = [aws_lb.inspect.arn]
}

resource "aws_vpc_endpoint" "inspect" {
  vpc_id            = aws_vpc.work.id
  subnet_ids        = [aws_subnet.work.id]
  service_name      = aws_vpc_endpoint_service.inspect.service_name
  vpc_endpoint_type = "GatewayLoadBalancer"
}

resource "aws_network_interface" "watched" {
  subnet_id = aws_subnet.work.id
}

resource "aws_instance" "watched" {
  ami           = "ami-12c6146b"
  instance_type = "m5.large"
  network_interface {
    device_index         = 0
    network_interface_id = aws_network_interface.watched.id
  }
}

resource "aws_ec2_traffic_mirror_target" "inspect" {
  gateway_load_balancer_endpoint_id = aws_vpc_endpoint.inspect.id
}

resource "aws_ec2_traffic_mirror_filter" "all" {}

resource "aws_ec2_traffic_mirror_session" "watched" {
  network_interface_id     = aws_network_interface.watched.id
  session_number           = 1
  traffic_mirror_filter_id = aws_ec2_traffic_mirror_filter.all.id
  traffic_mirror_target_id = aws_ec2_traffic_mirror_target.inspect.id
  depends_on               = [aws_instance.watched]
}
