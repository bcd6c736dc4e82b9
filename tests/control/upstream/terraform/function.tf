# Sessions are made by a function when an instance starts, for all that have a tag: the function with its role, the event
# that starts it, the topic and the queue for what went wrong. The sensor has two interfaces, of which the second takes
# copies; its own session is Terraform's.

provider "aws" {
  skip_metadata_api_check = true
}

data "aws_caller_identity" "me" {}

data "aws_ami" "linux" {
  most_recent = true
  owners      = ["amazon"]
  filter {
    name   = "name"
    values = ["amzn-ami-hvm-*"]
  }
}

data "aws_iam_policy_document" "mirror" {
  statement {
    actions   = ["ec2:DescribeInstances", "ec2:DescribeTrafficMirror*", "ec2:CreateTrafficMirrorSession"]
    resources = ["*"]
  }
  statement {
    actions   = ["sqs:SendMessage"]
    resources = [aws_sqs_queue.failed.arn]
  }
}

resource "aws_vpc" "this" {
  cidr_block = "10.60.0.0/16"
}

resource "aws_subnet" "this" {
  vpc_id     = aws_vpc.this.id
  cidr_block = "10.60.1.0/24"
}

resource "aws_default_security_group" "this" {
  vpc_id = aws_vpc.this.id
  ingress {
    protocol  = "-1"
    from_port = 0
    to_port   = 0
    self      = true
  }
}

resource "aws_instance" "sensor" {
  ami           = data.aws_ami.linux.id
  instance_type = "r5.xlarge"
  subnet_id     = aws_subnet.this.id
  tags          = { sensor = "true" }
}

resource "aws_network_interface" "capture" {
  subnet_id         = aws_subnet.this.id
  source_dest_check = false
  description       = "copies"
}

resource "aws_network_interface_attachment" "capture" {
  instance_id          = aws_instance.sensor.id
  network_interface_id = aws_network_interface.capture.id
  device_index         = 1
}

resource "aws_instance" "watched" {
  ami           = data.aws_ami.linux.id
  instance_type = "c5.large"
  subnet_id     = aws_subnet.this.id
  tags          = { Mirror = "true" }
}

resource "aws_ec2_traffic_mirror_target" "sensor" {
  network_interface_id = aws_network_interface.capture.id
  depends_on           = [aws_network_interface_attachment.capture]
}

resource "aws_ec2_traffic_mirror_filter" "all" {
  network_services = ["amazon-dns"]
}

resource "aws_ec2_traffic_mirror_filter_rule" "web" {
  count                    = 2
  traffic_mirror_filter_id = aws_ec2_traffic_mirror_filter.all.id
  rule_number              = 100 + count.index
  rule_action              = count.index == 0 ? "reject" : "accept"
  traffic_direction        = "ingress"
  protocol                 = 6
  source_cidr_block        = "0.0.0.0/0"
  destination_cidr_block   = "0.0.0.0/0"
  destination_port_range {
    from_port = count.index == 0 ? 22 : 1
    to_port   = count.index == 0 ? 22 : 65535
  }
}

resource "aws_ec2_traffic_mirror_session" "watched" {
  network_interface_id     = aws_instance.watched.primary_network_interface_id
  session_number           = 1
  traffic_mirror_filter_id = aws_ec2_traffic_mirror_filter.all.id
  traffic_mirror_target_id = aws_ec2_traffic_mirror_target.sensor.id
}

resource "aws_sns_topic" "alerts" {
  name = "mirror-alerts"
}

resource "aws_sqs_queue" "failed" {
  name                      = "mirror-failed"
  message_retention_seconds = 86400
}

resource "aws_iam_role" "mirror" {
  name = "mirror-function"
  assume_role_policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Action = "sts:AssumeRole", Principal = { Service = "lambda.amazonaws.com" } }]
  })
}

resource "aws_iam_policy" "mirror" {
  name   = "mirror-function"
  policy = data.aws_iam_policy_document.mirror.json
}

resource "aws_iam_role_policy_attachment" "mirror" {
  role       = aws_iam_role.mirror.name
  policy_arn = aws_iam_policy.mirror.arn
}

resource "aws_lambda_function" "mirror" {
  function_name = "mirror-new-instances"
  role          = aws_iam_role.mirror.arn
  runtime       = "python3.12"
  handler       = "function.handler"
  filename      = "${path.module}/function.zip"
  timeout       = 60
  environment {
    variables = {
      TARGET = aws_ec2_traffic_mirror_target.sensor.id
      FILTER = aws_ec2_traffic_mirror_filter.all.id
    }
  }
}

resource "aws_cloudwatch_event_rule" "started" {
  name = "instance-started"
  event_pattern = jsonencode({
    source        = ["aws.ec2"]
    "detail-type" = ["EC2 Instance State-change Notification"]
    detail        = { state = ["running"] }
  })
}

resource "aws_cloudwatch_event_target" "started" {
  rule = aws_cloudwatch_event_rule.started.name
  arn  = aws_lambda_function.mirror.arn
}

resource "aws_cloudwatch_event_target" "topic" {
  rule = aws_cloudwatch_event_rule.started.name
  arn  = aws_sns_topic.alerts.arn
}

resource "aws_lambda_permission" "started" {
  statement_id  = "events"
  action        = "lambda:InvokeFunction"
  function_name = aws_lambda_function.mirror.function_name
  principal     = "events.amazonaws.com"
  source_arn    = aws_cloudwatch_event_rule.started.arn
}
