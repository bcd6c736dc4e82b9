# Nodes that an auto scaling group made, found by their tag, and a session for the first interface of each: how clusters
# of containers are watched. What watches runs on the nodes too, behind a network load balancer. Discovery is part of the
# plan, so the group is made first (terraform apply -target).

provider "aws" {
  skip_metadata_api_check = true
  default_tags {
    tags = { Environment = "lab" }
  }
}

locals {
  cluster = "lab-cluster"
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
  cidr_block = "10.40.0.0/16"
}

resource "aws_subnet" "nodes" {
  count             = 2
  vpc_id            = aws_vpc.this.id
  availability_zone = data.aws_availability_zones.here.names[count.index]
  cidr_block        = cidrsubnet(aws_vpc.this.cidr_block, 4, count.index)
}

resource "aws_security_group" "nodes" {
  name   = "nodes"
  vpc_id = aws_vpc.this.id
}

resource "aws_security_group_rule" "vxlan" {
  type              = "ingress"
  security_group_id = aws_security_group.nodes.id
  protocol          = "udp"
  from_port         = 4789
  to_port           = 4789
  cidr_blocks       = [aws_vpc.this.cidr_block]
}

resource "aws_launch_template" "node" {
  name_prefix            = "node-"
  image_id               = data.aws_ami.linux.id
  instance_type          = "m6a.large"
  vpc_security_group_ids = [aws_security_group.nodes.id]
  tag_specifications {
    resource_type = "instance"
    tags          = { "kubernetes.io/cluster" = local.cluster }
  }
}

resource "aws_autoscaling_group" "nodes" {
  name                = "nodes"
  min_size            = 2
  max_size            = 4
  desired_capacity    = 2
  vpc_zone_identifier = aws_subnet.nodes[*].id
  launch_template {
    id      = aws_launch_template.node.id
    version = aws_launch_template.node.latest_version
  }
  tag {
    key                 = "cluster"
    value               = local.cluster
    propagate_at_launch = true
  }
}

data "aws_instances" "nodes" {
  filter {
    name   = "tag:cluster"
    values = [local.cluster]
  }
  instance_state_names = ["running"]
}

data "aws_network_interfaces" "first" {
  filter {
    name   = "attachment.instance-id"
    values = data.aws_instances.nodes.ids
  }
  filter {
    name   = "attachment.device-index"
    values = ["0"]
  }
  filter {
    name   = "status"
    values = ["in-use"]
  }
}

resource "aws_lb" "copies" {
  name                             = "lab-ids"
  internal                         = true
  load_balancer_type               = "network"
  enable_cross_zone_load_balancing = true
  subnets                          = aws_subnet.nodes[*].id
}

resource "aws_lb_target_group" "vxlan" {
  name        = "lab-ids-vxlan"
  port        = 4789
  protocol    = "UDP"
  vpc_id      = aws_vpc.this.id
  target_type = "instance"
  health_check {
    protocol            = "TCP"
    port                = "10250"
    interval            = 30
    healthy_threshold   = 2
    unhealthy_threshold = 2
  }
}

resource "aws_lb_target_group_attachment" "nodes" {
  count            = length(data.aws_instances.nodes.ids)
  target_group_arn = aws_lb_target_group.vxlan.arn
  target_id        = data.aws_instances.nodes.ids[count.index]
  port             = 4789
}

resource "aws_lb_listener" "vxlan" {
  load_balancer_arn = aws_lb.copies.arn
  port              = 4789
  protocol          = "UDP"
  default_action {
    type             = "forward"
    target_group_arn = aws_lb_target_group.vxlan.arn
  }
}

resource "aws_ec2_traffic_mirror_target" "copies" {
  network_load_balancer_arn = aws_lb.copies.arn
}

resource "aws_ec2_traffic_mirror_filter" "all" {
  network_services = ["amazon-dns"]
}

resource "aws_ec2_traffic_mirror_filter_rule" "all" {
  for_each                 = toset(["ingress", "egress"])
  traffic_mirror_filter_id = aws_ec2_traffic_mirror_filter.all.id
  rule_number              = 100
  rule_action              = "accept"
  traffic_direction        = each.value
  source_cidr_block        = "0.0.0.0/0"
  destination_cidr_block   = "0.0.0.0/0"
}

resource "aws_ec2_traffic_mirror_session" "nodes" {
  for_each                 = toset(data.aws_network_interfaces.first.ids)
  description              = "${local.cluster}: ${each.value}"
  network_interface_id     = each.value
  session_number           = 2
  virtual_network_id       = 100
  traffic_mirror_filter_id = aws_ec2_traffic_mirror_filter.all.id
  traffic_mirror_target_id = aws_ec2_traffic_mirror_target.copies.id
  depends_on               = [aws_lb_listener.vxlan]
}
