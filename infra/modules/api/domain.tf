# An address of one's own. Its DNS record points at the output `domain`.

resource "aws_apigatewayv2_domain_name" "this" {
  for_each = toset(var.domain[*].name)

  domain_name = each.value

  domain_name_configuration {
    certificate_arn = var.domain.certificate_arn
    endpoint_type   = "REGIONAL"
    security_policy = "TLS_1_2"
  }
}

resource "aws_apigatewayv2_api_mapping" "this" {
  for_each = toset(var.domain[*].name)

  api_id      = aws_apigatewayv2_api.this.id
  domain_name = aws_apigatewayv2_domain_name.this[each.value].id
  stage       = aws_apigatewayv2_stage.this.id
}
