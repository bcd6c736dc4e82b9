# A target of one account, shared with another outside its organisation, which accepts it and mirrors to it.

provider "aws" {
  skip_metadata_api_check = true
  profile                 = "222233334444"
  default_tags { tags = { team = "security" } }
}

provider "aws" {
  alias                   = "partner"
  skip_metadata_api_check = true
  profile                 = "444455556666"
}

data "aws_caller_identity" "partner" {
  provider = aws.partner
}

resource "aws_ec2_traffic_mirror_target" "target" {
  network_interface_id = "eni-0a1b2c3d4e5f60110"
}

resource "aws_ram_resource_share" "share" {
  name                      = "collector"
  allow_external_principals = true
}

resource "aws_ram_resource_association" "target" {
  resource_share_arn = aws_ram_resource_share.share.arn
  resource_arn       = aws_ec2_traffic_mirror_target.target.arn
}

resource "aws_ram_principal_association" "partner" {
  resource_share_arn = aws_ram_resource_share.share.arn
  principal          = data.aws_caller_identity.partner.account_id
}

resource "aws_ram_resource_share_accepter" "accepted" {
  provider  = aws.partner
  share_arn = aws_ram_principal_association.partner.resource_share_arn
}

resource "aws_ec2_traffic_mirror_filter" "filter" {
  provider = aws.partner
}

resource "aws_ec2_traffic_mirror_session" "session" {
  provider                 = aws.partner
  network_interface_id     = "eni-0a1b2c3d4e5f60060"
  session_number           = 1
  traffic_mirror_filter_id = aws_ec2_traffic_mirror_filter.filter.id
  traffic_mirror_target_id = aws_ec2_traffic_mirror_target.target.id
  depends_on               = [aws_ram_resource_share_accepter.accepted, aws_ram_resource_association.target]
}
