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
  lua_repository = "https://example.org/databases.git"
}

run "what_a_person_gives_is_taken" {
  command = plan
}

run "a_repository_is_not_reached_by_ssh" {
  command = plan

  variables {
    lua_repository = "git@example.org:databases.git"
  }

  expect_failures = [var.lua_repository]
}

run "nor_in_the_clear" {
  command = plan

  variables {
    lua_repository = "http://example.org/databases.git"
  }

  expect_failures = [var.lua_repository]
}

run "a_repository_holds_no_token" {
  command = plan

  variables {
    lua_repository = "https://token@example.org/databases.git"
  }

  expect_failures = [var.lua_repository]
}

run "a_mapping_takes_two_at_least" {
  command = plan

  variables {
    concurrency_limit = 1
  }

  expect_failures = [var.concurrency_limit]
}

run "players_are_on_pages_or_in_reports" {
  command = plan

  variables {
    discovery_source = "guild"
  }

  expect_failures = [var.discovery_source]
}

run "a_message_is_kept_for_two_weeks" {
  command = plan

  variables {
    oldest_message_hours = 336
  }

  expect_failures = [var.oldest_message_hours]
}

run "keys_are_no_setting" {
  command = plan

  variables {
    settings = { WCL_KEYS = "id:secret" }
  }

  expect_failures = [var.settings]
}

run "nor_is_the_database" {
  command = plan

  variables {
    settings = { MONGODB_URI = "mongodb://" }
  }

  expect_failures = [var.settings]
}

run "nor_is_the_token" {
  command = plan

  variables {
    settings = { GIT_TOKEN = "hidden" }
  }

  expect_failures = [var.settings]
}

run "what_has_a_variable_is_no_setting" {
  command = plan

  variables {
    settings = { CONCURRENCY_LIMIT = "5" }
  }

  expect_failures = [var.settings]
}

run "further_secrets_are_taken" {
  command = plan

  variables {
    secrets = { rank-fetcher = ["SOME_TOKEN"] }
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
    secrets = { rank-fetcher = ["id:secret"] }
  }

  expect_failures = [var.secrets]
}

run "a_secret_is_no_setting_too" {
  command = plan

  variables {
    secrets  = { rank-fetcher = ["SOME_TOKEN"] }
    settings = { SOME_TOKEN = "visible" }
  }

  expect_failures = [var.secrets]
}

run "what_is_a_secret_anyway_is_not_listed" {
  command = plan

  variables {
    secrets = { rank-fetcher = ["WCL_KEYS"] }
  }

  expect_failures = [var.secrets]
}

run "the_strategy_is_one_of_two" {
  command = plan

  variables {
    budget_strategy = "best-case"
  }

  expect_failures = [var.budget_strategy]
}

run "the_documents_rule_is_taken" {
  command = plan

  variables {
    budget_strategy = "worst-case"
  }
}
