# One configuration in two regions: the second provider is an alias. Interfaces are found by what they say of themselves.

provider "aws" {
  skip_metadata_api_check = true
}

provider "aws" {
  alias                   = "away"
  region                  = "eu-west-1"
  skip_metadata_api_check = true
}

data "aws_network_interfaces" "batch" {
  filter {
    name   = "private-ip-address"
    values = ["10.0.1.30"]
  }
}

data "aws_network_interfaces" "batch_away" {
  provider = aws.away
  filter {
    name   = "private-ip-address"
    values = ["10.0.1.30"]
  }
}

data "aws_lb" "sensors" {
  name = "sensors"
}

data "aws_lb" "sensors_away" {
  provider = aws.away
  name     = "sensors"
}

resource "aws_ec2_traffic_mirror_filter" "all" {}

resource "aws_ec2_traffic_mirror_filter" "all_away" {
  provider = aws.away
}

resource "aws_ec2_traffic_mirror_target" "collector" {
  network_interface_id = "eni-0a1b2c3d4e5f60100"
}

resource "aws_ec2_traffic_mirror_target" "collector_away" {
  provider             = aws.away
  network_interface_id = "eni-0e1b2c3d4e5f60100"
}

resource "aws_ec2_traffic_mirror_target" "sensors" {
  network_load_balancer_arn = data.aws_lb.sensors.arn
}

resource "aws_ec2_traffic_mirror_target" "sensors_away" {
  provider                  = aws.away
  network_load_balancer_arn = data.aws_lb.sensors_away.arn
}

resource "aws_ec2_traffic_mirror_session" "batch" {
  network_interface_id     = one(data.aws_network_interfaces.batch.ids)
  session_number           = 1
  traffic_mirror_filter_id = aws_ec2_traffic_mirror_filter.all.id
  traffic_mirror_target_id = aws_ec2_traffic_mirror_target.sensors.id
}

resource "aws_ec2_traffic_mirror_session" "batch_away" {
  provider                 = aws.away
  network_interface_id     = one(data.aws_network_interfaces.batch_away.ids)
  session_number           = 1
  traffic_mirror_filter_id = aws_ec2_traffic_mirror_filter.all_away.id
  traffic_mirror_target_id = aws_ec2_traffic_mirror_target.sensors_away.id
}
