# replaced.tf, with the new target made before the old one is deleted.

variable "collector" {}

provider "aws" {
  skip_metadata_api_check = true
}

resource "aws_ec2_traffic_mirror_filter" "filter" {}

resource "aws_ec2_traffic_mirror_target" "target" {
  network_interface_id = var.collector
  lifecycle { create_before_destroy = true }
}

resource "aws_ec2_traffic_mirror_session" "session" {
  network_interface_id     = "eni-0a1b2c3d4e5f60040"
  session_number           = 1
  traffic_mirror_filter_id = aws_ec2_traffic_mirror_filter.filter.id
  traffic_mirror_target_id = aws_ec2_traffic_mirror_target.target.id
}
