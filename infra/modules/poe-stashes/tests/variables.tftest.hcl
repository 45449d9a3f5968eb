# Values that must be refused, one per run. scripts/infra-check runs this file on the variables alone.

variables {
  installation = {
    prefix              = "stint"
    region              = "eu-west-1"
    account             = "123456789012"
    partition           = "aws"
    queue_prefix        = ""
    metrics_namespace   = "Stint"
    alarms_topic_arn    = "arn:aws:sns:eu-west-1:123456789012:stint-alarms"
    package             = "package.zip"
    log_retention_days  = 30
    reserve_concurrency = true
    environment         = {}
  }
  client_id = "shop"
  contact   = "you@example.org"
  bucket    = "pages"
}

run "what_a_person_gives_is_taken" {
  command = plan
}

run "a_secret_is_no_setting" {
  command = plan

  variables {
    settings = { POE_CLIENT_SECRET = "hidden" }
  }

  expect_failures = [var.settings]
}

run "what_has_a_variable_is_no_setting" {
  command = plan

  variables {
    settings = { POE_CONTACT = "you@example.org" }
  }

  expect_failures = [var.settings]
}

run "further_secrets_are_taken" {
  command = plan

  variables {
    secrets = { follower = ["SOME_TOKEN"] }
  }
}

run "secrets_are_those_of_a_worker" {
  command = plan

  variables {
    secrets = { stranger = ["SOME_TOKEN"] }
  }

  expect_failures = [var.secrets]
}

run "a_secret_is_named_and_not_given" {
  command = plan

  variables {
    secrets = { follower = ["id:secret"] }
  }

  expect_failures = [var.secrets]
}

run "a_secret_is_no_setting_too" {
  command = plan

  variables {
    secrets  = { follower = ["SOME_TOKEN"] }
    settings = { SOME_TOKEN = "visible" }
  }

  expect_failures = [var.secrets]
}

run "what_is_a_secret_anyway_is_not_listed" {
  command = plan

  variables {
    secrets = { follower = ["POE_CLIENT_SECRET"] }
  }

  expect_failures = [var.secrets]
}
