variable "name" {
  description = "Name of the service and of everything that is made for it."
  type        = string
  default     = "twinrow"
}

variable "image" {
  description = "The container image, made from deploy/Dockerfile."
  type        = string
}

variable "config" {
  description = "The text of twinrow.toml. Its password is $${MYSQL_PASSWORD}: the secret is put there."
  type        = string

  validation {
    condition     = strcontains(var.config, "$${MYSQL_PASSWORD}")
    error_message = "Write $${MYSQL_PASSWORD} in place of the password: a task definition can be read by many."
  }
}

variable "mysql_password_secret_arn" {
  description = "ARN of the secret in Secrets Manager whose text is the MySQL password. Empty: a secret is made, and you put the password into it."
  type        = string
  default     = ""
}

variable "policies" {
  description = "IAM policies in JSON, as `twinrow iam-policy` prints them for this configuration: one text each, at most 10."
  type        = list(string)

  validation {
    condition     = length(var.policies) > 0 && length(var.policies) <= 10
    error_message = "Give what `twinrow iam-policy` prints. AWS attaches at most 10 managed policies to a role."
  }
}

variable "cluster_arn" {
  description = "ARN of the ECS cluster."
  type        = string
}

variable "subnet_ids" {
  description = "Subnets that reach MySQL and DynamoDB (by a gateway endpoint, or NAT)."
  type        = list(string)
}

variable "security_group_ids" {
  description = "Security groups that MySQL lets in."
  type        = list(string)
}

variable "processes" {
  description = "Processes: they share the tables, and take over those of a process that is gone."
  type        = number
  default     = 1
}

variable "cpu" {
  description = "CPU units of a task: 1024 is one core."
  type        = number
  default     = 1024
}

variable "memory" {
  description = "Memory of a task in MiB. A sync takes 140 MB, and 2 MB for each further small table."
  type        = number
  default     = 2048
}

variable "alarm_actions" {
  description = "ARNs that alarms go to, for example an SNS topic."
  type        = list(string)
  default     = []
}

variable "log_retention_days" {
  description = "So many days log lines are kept. They hold no values of items."
  type        = number
  default     = 30
}

variable "tags" {
  description = "Tags of everything that is made."
  type        = map(string)
  default     = {}
}
