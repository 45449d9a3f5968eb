# The bucket for the pages and the chain's record, and both functions' rights to it and to the queues. Only the follower
# writes pages and hands them on; the watcher reads and writes records, and sends the chain's message.

resource "aws_s3_bucket" "pages" {
  #checkov:skip=CKV_AWS_18:Two functions write, and their logs tell what.
  #checkov:skip=CKV_AWS_21:A page is written once and never replaced, so that there is no version to keep.
  #checkov:skip=CKV_AWS_144:What was public for a moment is not worth a second region.
  #checkov:skip=CKV_AWS_145:Pages are public data; S3 encrypts them with its own key.
  #checkov:skip=CKV2_AWS_62:The queue tells of stored pages, after they are durable.
  bucket = var.bucket
}

resource "aws_s3_bucket_public_access_block" "pages" {
  bucket                  = aws_s3_bucket.pages.id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

# Temporary objects that an interrupted upload left, and parts of uploads that were never completed.
resource "aws_s3_bucket_lifecycle_configuration" "pages" {
  bucket = aws_s3_bucket.pages.id

  rule {
    id     = "uploads"
    status = "Enabled"

    filter {
      prefix = "${local.pages_prefix}/uploads/"
    }

    expiration {
      days = 1
    }
  }

  rule {
    id     = "parts"
    status = "Enabled"

    filter {}

    abort_incomplete_multipart_upload {
      days_after_initiation = 1
    }
  }
}

locals {
  # What each worker may do with objects, and which queues it sends to.
  follow = {
    follower = {
      role    = module.follower.role_name
      objects = ["s3:AbortMultipartUpload", "s3:DeleteObject", "s3:GetObject", "s3:PutObject"]
      queues  = [module.chain.arn, aws_sqs_queue.stored_pages.arn]
    }
    watcher = {
      role    = module.watcher.role_name
      objects = ["s3:GetObject", "s3:PutObject"]
      queues  = [module.chain.arn]
    }
  }
}

data "aws_iam_policy_document" "follow" {
  for_each = local.follow

  statement {
    sid       = "KeepPagesAndTheChain"
    actions   = each.value.objects
    resources = ["${aws_s3_bucket.pages.arn}/${local.pages_prefix}/*"]
  }

  # Without this right, S3 answers 403 for a page that does not exist.
  statement {
    sid       = "SeeWhatIsThere"
    actions   = ["s3:ListBucket"]
    resources = [aws_s3_bucket.pages.arn]
  }

  statement {
    sid       = "HandOn"
    actions   = ["sqs:GetQueueAttributes", "sqs:GetQueueUrl", "sqs:SendMessage"]
    resources = each.value.queues
  }

  # Counting the waiting messages includes the dead letters.
  statement {
    sid       = "CountWhatWaits"
    actions   = ["sqs:GetQueueAttributes", "sqs:GetQueueUrl"]
    resources = [module.chain.dead_letters_arn]
  }
}

resource "aws_iam_role_policy" "follow" {
  for_each = local.follow
  name     = "follow"
  role     = each.value.role
  policy   = data.aws_iam_policy_document.follow[each.key].json
}
