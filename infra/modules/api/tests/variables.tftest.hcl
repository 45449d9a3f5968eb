# Values that must be refused, one per run. scripts/infra-check runs this file on the variables alone.

variables {
  fleet     = { name = "sample", stem = "stint-sample", log_retention_days = 30 }
  functions = { api = { function_name = "api", function_arn = "arn:aws:lambda:eu-west-1:123456789012:function:api" } }
  routes    = [{ method = "GET", path = "/samples", worker = "api" }, { method = "POST", path = "/samples", worker = "api" }]
}

run "routes_alone" {
  command = plan
}

run "everything_optional" {
  command = plan

  variables {
    routes   = [{ method = "GET", path = "/samples/{id}", worker = "api", throttle = { per_second = 1, burst = 2 } }]
    throttle = { per_second = 0.5, burst = 1 }
    cors     = { origins = ["*"], headers = ["authorization"] }
    domain   = { name = "api.example.org", certificate_arn = "arn:aws:acm:eu-west-1:123456789012:certificate/1" }
  }
}

run "an_api_has_a_route" {
  command = plan

  variables {
    routes = []
  }

  expect_failures = [var.routes]
}

run "head_is_not_a_route" {
  command = plan

  variables {
    routes = [{ method = "HEAD", path = "/samples", worker = "api" }]
  }

  expect_failures = [var.routes]
}

run "a_path_starts_with_a_slash" {
  command = plan

  variables {
    routes = [{ method = "GET", path = "samples", worker = "api" }]
  }

  expect_failures = [var.routes]
}

run "routes_are_distinct" {
  command = plan

  variables {
    routes = [{ method = "GET", path = "/samples", worker = "api" }, { method = "GET", path = "/samples", worker = "api" }]
  }

  expect_failures = [var.routes]
}

run "a_route_has_a_known_worker" {
  command = plan

  variables {
    routes = [{ method = "GET", path = "/samples", worker = "sampler" }]
  }

  expect_failures = [var.routes]
}

run "a_burst_is_not_less_than_the_rate" {
  command = plan

  variables {
    throttle = { per_second = 10, burst = 5 }
  }

  expect_failures = [var.throttle]
}

run "an_origin_has_no_path" {
  command = plan

  variables {
    cors = { origins = ["https://example.org/"] }
  }

  expect_failures = [var.cors]
}

run "a_certificate_is_in_acm" {
  command = plan

  variables {
    domain = { name = "api.example.org", certificate_arn = "certificate" }
  }

  expect_failures = [var.domain]
}

run "a_name_is_in_kebab_case" {
  command = plan

  variables {
    name = "Api"
  }

  expect_failures = [var.name]
}
