# A role is assumed; what the inventory has is read by data sources; a filter is made in another region.

provider "aws" {
  skip_metadata_api_check = true
  assume_role {
    role_arn     = "arn:aws:iam::111122223333:role/visitor"
    session_name = "apply"
  }
}

provider "aws" {
  alias                   = "elsewhere"
  region                  = "eu-west-1"
  skip_metadata_api_check = true
}

data "aws_caller_identity" "me" {}
data "aws_regions" "all" {}

data "aws_instance" "burstable" { instance_id = "i-0a1b2c3d4e5f60010" }
data "aws_security_group" "web" { name = "web" }
data "aws_route_table" "main" { route_table_id = "rtb-0a1b2c3d4e5f60100" }

data "aws_network_interfaces" "elsewhere" { provider = aws.elsewhere }

resource "aws_ec2_traffic_mirror_filter" "elsewhere" {
  provider    = aws.elsewhere
  description = "${data.aws_instance.burstable.instance_type} ${data.aws_security_group.web.id}"
}

output "who" {
  value = data.aws_caller_identity.me.arn
}
output "credits" {
  value = data.aws_instance.burstable.credit_specification[0].cpu_credits
}
output "elsewhere" {
  value = length(data.aws_network_interfaces.elsewhere.ids)
}
