# The HTTP API of a fleet: a gateway in front of the functions of its HTTP workers (docs/http.md).

locals {
  api_name = "${var.fleet.stem}-${var.name}"
  routes   = { for route in var.routes : "${route.method} ${route.path}" => route }

  # The other methods of a path go to the worker of its first route, which answers HEAD and OPTIONS, and refuses the rest
  # with 405. The gateway prefers a route of the method.
  paths = { for route in var.routes : "ANY ${route.path}" => route.worker... }

  workers = merge({ for key, workers in local.paths : key => workers[0] }, { for key, route in local.routes : key => route.worker })
  limited = { for key, route in local.routes : key => route.throttle if route.throttle != null }
}

resource "aws_apigatewayv2_api" "this" {
  name          = local.api_name
  description   = "Requests to the workers of ${var.fleet.name}"
  protocol_type = "HTTP"

  # With a domain of its own, the API has no second address.
  disable_execute_api_endpoint = var.domain != null

  # The gateway then answers preflights itself, and replaces the headers of the workers' own policies.
  dynamic "cors_configuration" {
    for_each = var.cors[*]

    content {
      allow_origins = cors_configuration.value.origins
      allow_methods = cors_configuration.value.methods
      allow_headers = cors_configuration.value.headers
      max_age       = cors_configuration.value.max_age_seconds
    }
  }
}

resource "aws_apigatewayv2_integration" "this" {
  for_each = var.functions

  api_id                 = aws_apigatewayv2_api.this.id
  integration_type       = "AWS_PROXY"
  integration_method     = "POST"
  integration_uri        = each.value.function_arn
  payload_format_version = "2.0"
  timeout_milliseconds   = 30000 # the gateway's limit, and more than any route may take
}

resource "aws_apigatewayv2_route" "this" {
  #checkov:skip=CKV_AWS_309:Workers check keys themselves, because only they know them; other routes are public.
  for_each = local.workers

  api_id    = aws_apigatewayv2_api.this.id
  route_key = each.key
  target    = "integrations/${aws_apigatewayv2_integration.this[each.value].id}"
}

resource "aws_apigatewayv2_stage" "this" {
  api_id      = aws_apigatewayv2_api.this.id
  name        = "$default"
  auto_deploy = true

  # A target and not a ceiling: limits for a key or an address are the workers' own.
  # https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-throttling.html
  default_route_settings {
    throttling_burst_limit = var.throttle.burst
    throttling_rate_limit  = var.throttle.per_second
  }

  dynamic "route_settings" {
    for_each = local.limited

    content {
      route_key              = route_settings.key
      throttling_burst_limit = route_settings.value.burst
      throttling_rate_limit  = route_settings.value.per_second
    }
  }

  # Without queries and headers, which may contain keys.
  access_log_settings {
    destination_arn = aws_cloudwatch_log_group.this.arn
    format = jsonencode({
      time           = "$context.requestTimeEpoch"
      request_id     = "$context.requestId"
      address        = "$context.identity.sourceIp"
      route          = "$context.routeKey"
      path           = "$context.path"
      status         = "$context.status"
      bytes          = "$context.responseLength"
      milliseconds   = "$context.responseLatency"
      function_error = "$context.integrationErrorMessage"
    })
  }

  # A setting for a route that does not exist yet is refused.
  depends_on = [aws_apigatewayv2_route.this]
}

resource "aws_lambda_permission" "this" {
  for_each = var.functions

  statement_id  = local.api_name
  action        = "lambda:InvokeFunction"
  function_name = each.value.function_name
  principal     = "apigateway.amazonaws.com"
  source_arn    = "${aws_apigatewayv2_api.this.execution_arn}/*/*"
}

resource "aws_cloudwatch_log_group" "this" {
  #checkov:skip=CKV_AWS_158:No key and no token is in an access log; CloudWatch encrypts it with its own key.
  #checkov:skip=CKV_AWS_338:Access logs are for finding faults. The days are a variable.
  name              = "/aws/apigateway/${local.api_name}"
  retention_in_days = var.fleet.log_retention_days
}
