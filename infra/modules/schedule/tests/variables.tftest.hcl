# Values that must be refused, one per run. scripts/infra-check runs this file on the variables alone.

variables {
  fleet         = { name = "sample", region = "eu-west-1" }
  group         = { name = "schedules", arn = "arn:aws:scheduler:eu-west-1:123456789012:schedule-group/schedules" }
  worker        = { name = "sampler", function_name = "sampler", function_arn = "arn:aws:lambda:eu-west-1:123456789012:function:sampler" }
  every_minutes = 1
  aligned       = true
}

run "every_full_minute" {
  command = plan
}

run "every_day" {
  command = plan

  variables {
    every_minutes = 1440
  }
}

run "a_period_has_whole_minutes" {
  command = plan

  variables {
    every_minutes = 0.5
    aligned       = false
  }

  expect_failures = [var.every_minutes]
}

run "an_aligned_period_divides_an_hour" {
  command = plan

  variables {
    every_minutes = 7
  }

  expect_failures = [var.aligned]
}

run "longer_aligned_periods_are_whole_hours" {
  command = plan

  variables {
    every_minutes = 90
  }

  expect_failures = [var.aligned]
}

run "aligned_hours_divide_a_day" {
  command = plan

  variables {
    every_minutes = 300
  }

  expect_failures = [var.aligned]
}
