# A pool of appliances behind a network load balancer, and a session for each watched instance: what public modules make,
# with an alarm, a role, a bucket and a log group beside it.

provider "aws" {
  skip_metadata_api_check = true
  s3_use_path_style       = true
}

variable "watched" {
  type    = map(number)
  default = { web = 11, database = 12 }
}

data "aws_caller_identity" "me" {}

data "aws_availability_zones" "here" {
  state = "available"
}

resource "aws_vpc" "this" {
  cidr_block = "10.30.0.0/16"
}

resource "aws_subnet" "this" {
  count             = 2
  vpc_id            = aws_vpc.this.id
  availability_zone = data.aws_availability_zones.here.names[count.index]
  cidr_block        = cidrsubnet(aws_vpc.this.cidr_block, 8, count.index)
}

resource "aws_security_group" "appliance" {
  name   = "appliance"
  vpc_id = aws_vpc.this.id
}

resource "aws_vpc_security_group_ingress_rule" "vxlan" {
  security_group_id = aws_security_group.appliance.id
  cidr_ipv4         = aws_vpc.this.cidr_block
  ip_protocol       = "udp"
  from_port         = 4789
  to_port           = 4789
}

resource "aws_instance" "appliance" {
  count                  = 2
  ami                    = "ami-12c6146b"
  instance_type          = "c5.large"
  subnet_id              = aws_subnet.this[count.index].id
  vpc_security_group_ids = [aws_security_group.appliance.id]
}

resource "aws_instance" "watched" {
  for_each      = var.watched
  ami           = "ami-12c6146b"
  instance_type = "m5.large"
  subnet_id     = aws_subnet.this[0].id
  private_ip    = "10.30.0.${each.value}"
  tags          = { Name = each.key }
}

resource "aws_lb" "copies" {
  name               = "copies"
  internal           = true
  load_balancer_type = "network"
  subnets            = aws_subnet.this[*].id
}

resource "aws_lb_target_group" "appliances" {
  name        = "appliances"
  port        = 4789
  protocol    = "UDP"
  vpc_id      = aws_vpc.this.id
  target_type = "instance"
  health_check {
    port     = 22
    protocol = "TCP"
  }
}

resource "aws_lb_target_group_attachment" "appliance" {
  count            = 2
  target_group_arn = aws_lb_target_group.appliances.arn
  target_id        = aws_instance.appliance[count.index].id
}

resource "aws_lb_listener" "vxlan" {
  load_balancer_arn = aws_lb.copies.arn
  port              = 4789
  protocol          = "UDP"
  default_action {
    type             = "forward"
    target_group_arn = aws_lb_target_group.appliances.arn
  }
}

resource "aws_ec2_traffic_mirror_target" "copies" {
  network_load_balancer_arn = aws_lb.copies.arn
  depends_on                = [aws_lb_listener.vxlan]
}

resource "aws_ec2_traffic_mirror_filter" "all" {}

resource "aws_ec2_traffic_mirror_filter_rule" "all" {
  for_each                 = { ingress = 1, egress = 2 }
  traffic_mirror_filter_id = aws_ec2_traffic_mirror_filter.all.id
  traffic_direction        = each.key
  rule_number              = each.value
  rule_action              = "accept"
  source_cidr_block        = "0.0.0.0/0"
  destination_cidr_block   = "0.0.0.0/0"
}

resource "aws_ec2_traffic_mirror_session" "watched" {
  for_each                 = aws_instance.watched
  description              = "${each.key} of ${data.aws_caller_identity.me.account_id}"
  network_interface_id     = each.value.primary_network_interface_id
  session_number           = 1
  virtual_network_id       = var.watched[each.key]
  traffic_mirror_filter_id = aws_ec2_traffic_mirror_filter.all.id
  traffic_mirror_target_id = aws_ec2_traffic_mirror_target.copies.id
}

resource "aws_s3_bucket" "captures" {
  bucket        = "captures-of-${data.aws_caller_identity.me.account_id}"
  force_destroy = true
}

resource "aws_cloudwatch_log_group" "appliance" {
  name              = "/mirror/appliance"
  retention_in_days = 7
}

resource "aws_iam_role" "appliance" {
  name = "appliance"
  assume_role_policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Action = "sts:AssumeRole", Principal = { Service = "ec2.amazonaws.com" } }]
  })
}

data "aws_network_interfaces" "doors" {
  filter {
    name   = "description"
    values = ["ELB ${aws_lb.copies.arn_suffix}"]
  }
  depends_on = [aws_lb_listener.vxlan]
}

output "doors" {
  value = length(data.aws_network_interfaces.doors.ids)
}
