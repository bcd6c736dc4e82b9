variable "sources" {
  type = map(string)
}

variable "collector" {
  type = string
}

variable "rules" {
  type = list(object({
    direction   = string
    action      = optional(string, "accept")
    source      = optional(string, "0.0.0.0/0")
    destination = optional(string, "0.0.0.0/0")
    protocol    = optional(number)
    ports       = optional(list(number))
  }))
}

resource "aws_ec2_traffic_mirror_target" "this" {
  network_interface_id = var.collector
}

resource "aws_ec2_traffic_mirror_filter" "this" {
  description = "by a list of rules"
}

resource "aws_ec2_traffic_mirror_filter_rule" "this" {
  count                    = length(var.rules)
  traffic_mirror_filter_id = aws_ec2_traffic_mirror_filter.this.id
  rule_number              = count.index + 1
  traffic_direction        = var.rules[count.index].direction
  rule_action              = var.rules[count.index].action
  source_cidr_block        = var.rules[count.index].source
  destination_cidr_block   = var.rules[count.index].destination
  protocol                 = var.rules[count.index].protocol
  dynamic "destination_port_range" {
    for_each = var.rules[count.index].ports == null ? [] : [var.rules[count.index].ports]
    content {
      from_port = destination_port_range.value[0]
      to_port   = destination_port_range.value[1]
    }
  }
}

resource "aws_ec2_traffic_mirror_session" "this" {
  for_each                 = var.sources
  description              = each.key
  network_interface_id     = each.value
  session_number           = 1
  traffic_mirror_filter_id = aws_ec2_traffic_mirror_filter.this.id
  traffic_mirror_target_id = aws_ec2_traffic_mirror_target.this.id
}
