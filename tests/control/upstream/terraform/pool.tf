# Sensors of a vendor as an auto scaling group behind a network load balancer, in private subnets with NAT, with what a
# vendor's module has beside them: a role and its profile, a bucket for captures, a parameter with the sensor's token, an
# alarm and a log group.

provider "aws" {
  skip_metadata_api_check = true
  s3_use_path_style       = true
}

variable "prefix" {
  type    = string
  default = "vs"
  validation {
    condition     = can(regex("^[a-z]{2}$", var.prefix))
    error_message = "Two letters."
  }
}

locals {
  name = "${var.prefix}-sensor"
  tags = { deployment = local.name }
}

data "aws_region" "here" {}

data "aws_partition" "here" {}

data "aws_availability_zones" "here" {
  state = "available"
}

data "aws_ami" "sensor" {
  most_recent = true
  owners      = ["amazon"]
  filter {
    name   = "name"
    values = ["amzn-ami-hvm-*"]
  }
}

data "aws_iam_policy_document" "assume" {
  statement {
    actions = ["sts:AssumeRole"]
    principals {
      type        = "Service"
      identifiers = ["ec2.${data.aws_partition.here.dns_suffix}"]
    }
  }
}

data "aws_iam_policy_document" "sensor" {
  statement {
    actions   = ["s3:PutObject"]
    resources = ["${aws_s3_bucket.captures.arn}/*"]
  }
}

resource "aws_vpc" "this" {
  cidr_block           = "10.50.0.0/16"
  enable_dns_hostnames = true
  tags                 = local.tags
}

resource "aws_internet_gateway" "this" {
  vpc_id = aws_vpc.this.id
}

resource "aws_subnet" "public" {
  vpc_id                  = aws_vpc.this.id
  availability_zone       = data.aws_availability_zones.here.names[0]
  cidr_block              = "10.50.0.0/24"
  map_public_ip_on_launch = true
}

resource "aws_subnet" "private" {
  count             = 2
  vpc_id            = aws_vpc.this.id
  availability_zone = data.aws_availability_zones.here.names[count.index]
  cidr_block        = cidrsubnet(aws_vpc.this.cidr_block, 8, 10 + count.index)
}

resource "aws_eip" "nat" {
  domain = "vpc"
}

resource "aws_nat_gateway" "this" {
  allocation_id = aws_eip.nat.id
  subnet_id     = aws_subnet.public.id
  depends_on    = [aws_internet_gateway.this]
}

resource "aws_route_table" "private" {
  vpc_id = aws_vpc.this.id
}

resource "aws_route" "out" {
  route_table_id         = aws_route_table.private.id
  destination_cidr_block = "0.0.0.0/0"
  nat_gateway_id         = aws_nat_gateway.this.id
}

resource "aws_route_table_association" "private" {
  count          = 2
  subnet_id      = aws_subnet.private[count.index].id
  route_table_id = aws_route_table.private.id
}

resource "aws_security_group" "sensor" {
  name_prefix = "${local.name}-"
  vpc_id      = aws_vpc.this.id
  dynamic "ingress" {
    for_each = { 4789 = "udp", 80 = "tcp" }
    content {
      from_port   = ingress.key
      to_port     = ingress.key
      protocol    = ingress.value
      cidr_blocks = [aws_vpc.this.cidr_block]
    }
  }
}

resource "aws_s3_bucket" "captures" {
  bucket        = "${local.name}-captures"
  force_destroy = true
}

resource "aws_s3_bucket_server_side_encryption_configuration" "captures" {
  bucket = aws_s3_bucket.captures.id
  rule {
    apply_server_side_encryption_by_default {
      sse_algorithm = "AES256"
    }
  }
}

resource "aws_s3_bucket_lifecycle_configuration" "captures" {
  bucket = aws_s3_bucket.captures.id
  rule {
    id     = "expire"
    status = "Enabled"
    filter {}
    expiration {
      days = 7
    }
  }
}

resource "aws_s3_bucket_public_access_block" "captures" {
  bucket                  = aws_s3_bucket.captures.id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_ssm_parameter" "token" {
  name  = "/${local.name}/token"
  type  = "SecureString"
  value = "not-a-token"
}

resource "aws_cloudwatch_log_group" "sensor" {
  name              = local.name
  retention_in_days = 30
}

resource "aws_iam_role" "sensor" {
  name               = local.name
  assume_role_policy = data.aws_iam_policy_document.assume.json
}

resource "aws_iam_role_policy" "sensor" {
  role   = aws_iam_role.sensor.id
  policy = data.aws_iam_policy_document.sensor.json
}

resource "aws_iam_instance_profile" "sensor" {
  name = local.name
  role = aws_iam_role.sensor.name
}

resource "aws_launch_template" "sensor" {
  name          = local.name
  image_id      = data.aws_ami.sensor.id
  instance_type = "m5.large"
  user_data     = base64encode("#!/bin/sh\nset_token ${aws_ssm_parameter.token.name} ${data.aws_region.here.name}\n")
  iam_instance_profile {
    arn = aws_iam_instance_profile.sensor.arn
  }
  network_interfaces {
    associate_public_ip_address = false
    security_groups             = [aws_security_group.sensor.id]
  }
  block_device_mappings {
    device_name = "/dev/sda1"
    ebs {
      volume_size = 30
      encrypted   = true
    }
  }
  metadata_options {
    http_tokens = "required"
  }
}

resource "aws_autoscaling_group" "sensors" {
  name                = local.name
  min_size            = 2
  max_size            = 5
  desired_capacity    = 2
  vpc_zone_identifier = aws_subnet.private[*].id
  target_group_arns   = [aws_lb_target_group.sensors.arn]
  launch_template {
    id      = aws_launch_template.sensor.id
    version = "$Latest"
  }
  tag {
    key                 = "Name"
    value               = local.name
    propagate_at_launch = true
  }
}

resource "aws_lb" "sensors" {
  name                             = local.name
  internal                         = true
  load_balancer_type               = "network"
  enable_cross_zone_load_balancing = true
  subnets                          = aws_subnet.private[*].id
}

resource "aws_lb_target_group" "sensors" {
  name                   = local.name
  port                   = 4789
  protocol               = "UDP"
  vpc_id                 = aws_vpc.this.id
  deregistration_delay   = 30
  connection_termination = true
  health_check {
    protocol = "HTTP"
    port     = "80"
    path     = "/healthcheck"
  }
  stickiness {
    enabled = true
    type    = "source_ip"
  }
}

resource "aws_lb_listener" "vxlan" {
  load_balancer_arn = aws_lb.sensors.arn
  port              = 4789
  protocol          = "UDP"
  default_action {
    type             = "forward"
    target_group_arn = aws_lb_target_group.sensors.arn
  }
}

resource "aws_cloudwatch_metric_alarm" "unhealthy" {
  alarm_name          = "${local.name}-unhealthy"
  namespace           = "AWS/NetworkELB"
  metric_name         = "UnHealthyHostCount"
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  period              = 60
  evaluation_periods  = 2
  statistic           = "Maximum"
  dimensions = {
    LoadBalancer = aws_lb.sensors.arn_suffix
    TargetGroup  = aws_lb_target_group.sensors.arn_suffix
  }
}

resource "aws_instance" "bastion" {
  ami                         = data.aws_ami.sensor.id
  instance_type               = "t3.micro"
  subnet_id                   = aws_subnet.public.id
  associate_public_ip_address = true
}

resource "aws_ec2_traffic_mirror_target" "sensors" {
  network_load_balancer_arn = aws_lb.sensors.arn
  tags                      = local.tags
}

resource "aws_ec2_traffic_mirror_filter" "all" {
  tags = local.tags
}

resource "aws_ec2_traffic_mirror_filter_rule" "all" {
  for_each                 = { ingress = 10, egress = 20 }
  traffic_mirror_filter_id = aws_ec2_traffic_mirror_filter.all.id
  rule_number              = each.value
  rule_action              = "accept"
  traffic_direction        = each.key
  source_cidr_block        = "0.0.0.0/0"
  destination_cidr_block   = "0.0.0.0/0"
}

resource "aws_ec2_traffic_mirror_session" "bastion" {
  network_interface_id     = aws_instance.bastion.primary_network_interface_id
  session_number           = 1
  packet_length            = 8500
  traffic_mirror_filter_id = aws_ec2_traffic_mirror_filter.all.id
  traffic_mirror_target_id = aws_ec2_traffic_mirror_target.sensors.id
  tags                     = local.tags
  depends_on               = [aws_lb_listener.vxlan]
}
