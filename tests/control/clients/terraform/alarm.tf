# An alarm on copies that were skipped. Its threshold and one of its tags are the test's.

provider "aws" {
  skip_metadata_api_check = true
  default_tags { tags = { team = "security" } }
}

variable "threshold" {}
variable "cost" {}

resource "aws_cloudwatch_metric_alarm" "skipped" {
  alarm_name          = "skipped"
  alarm_description   = "copies that found no room"
  namespace           = "AWS/EC2"
  metric_name         = "NetworkPacketsSkipMirrorIn"
  dimensions          = { InstanceId = "i-0a1b2c3d4e5f60010" }
  statistic           = "Sum"
  period              = 60
  evaluation_periods  = 3
  datapoints_to_alarm = 2
  threshold           = var.threshold
  comparison_operator = "GreaterThanThreshold"
  treat_missing_data  = "notBreaching"
  tags                = { Name = "skipped", cost = var.cost }
}
