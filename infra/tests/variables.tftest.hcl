# Values that must be refused, one per run. scripts/infra-check runs this file on the variables alone.

variables {
  region      = "eu-west-1"
  packages    = "packages"
  alarm_email = "you@example.org"
}

run "what_a_person_gives_is_taken" {
  command = plan
}

run "a_region_has_a_code" {
  command = plan

  variables {
    region = "Europe"
  }

  expect_failures = [var.region]
}

run "packages_are_in_a_folder" {
  command = plan

  variables {
    packages = "stint-arm64.zip"
  }

  expect_failures = [var.packages]
}

run "an_address_is_a_mail_address" {
  command = plan

  variables {
    alarm_email = "me"
  }

  expect_failures = [var.alarm_email]
}

run "a_budget_is_a_dollar_at_least" {
  command = plan

  variables {
    monthly_budget_usd = 0
  }

  expect_failures = [var.monthly_budget_usd]
}

run "logs_are_kept_for_days_that_cloudwatch_takes" {
  command = plan

  variables {
    log_retention_days = 31
  }

  expect_failures = [var.log_retention_days]
}

run "a_prefix_is_no_longer_than_roles_names_allow" {
  command = plan

  variables {
    prefix = "thirteenchars"
  }

  expect_failures = [var.prefix]
}

run "a_prefix_has_two_characters" {
  command = plan

  variables {
    prefix = "s"
  }

  expect_failures = [var.prefix]
}

run "a_prefix_has_no_hyphen" {
  command = plan

  variables {
    prefix = "stint-two"
  }

  expect_failures = [var.prefix]
}

run "a_prefix_has_no_capitals" {
  command = plan

  variables {
    prefix = "Stint"
  }

  expect_failures = [var.prefix]
}

run "a_prefix_begins_with_a_letter" {
  command = plan

  variables {
    prefix = "2stint"
  }

  expect_failures = [var.prefix]
}

run "a_prefix_is_no_reserved_path" {
  command = plan

  variables {
    prefix = "awsfleet"
  }

  expect_failures = [var.prefix]
}

run "nor_the_other_reserved_path" {
  command = plan

  variables {
    prefix = "ssmstint"
  }

  expect_failures = [var.prefix]
}
