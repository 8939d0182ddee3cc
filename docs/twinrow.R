# Reading a copy that Twinrow keeps. In your script: source("twinrow.R")
library(DBI)

# RMariaDB where it is installed, else RMySQL; the session's time zone is UTC, so that times mean the same everywhere.
twinrow_connect <- function(host = Sys.getenv("MYSQL_HOST", "127.0.0.1"), port = Sys.getenv("MYSQL_PORT", "3306"),
                            user = Sys.getenv("MYSQL_USER", "analyst"), password = Sys.getenv("MYSQL_PASSWORD"),
                            dbname = Sys.getenv("MYSQL_DATABASE", "analytics")) {
  args <- list(host = host, port = as.integer(port), user = user, password = password, dbname = dbname)
  con <- if (requireNamespace("RMariaDB", quietly = TRUE)) {
    do.call(dbConnect, c(RMariaDB::MariaDB(), args, bigint = "numeric", timezone = "UTC"))
  } else {
    do.call(dbConnect, c(RMySQL::MySQL(), args))
  }
  for (sql in c("SET NAMES utf8mb4", "SET time_zone = '+00:00'")) dbExecute(con, sql)
  con
}

# A table or view as a data frame with R's types. `columns` and `where` are SQL; all columns and rows without them.
twinrow_read <- function(con, table, columns = "*", where = "TRUE") {
  frame <- twinrow_query(con, sprintf("SELECT %s FROM %s WHERE %s", columns, dbQuoteIdentifier(con, table), where))
  types <- twinrow_query(con, sprintf(
    "SELECT column_name AS name, column_type AS type FROM information_schema.columns
     WHERE table_schema = DATABASE() AND table_name = %s", dbQuoteString(con, table)))
  for (name in intersect(names(frame), types$name)) {
    type <- tolower(types$type[types$name == name])
    if (grepl("^(datetime|timestamp)", type)) frame[[name]] <- as.POSIXct(frame[[name]], tz = "UTC")
    if (type == "date") frame[[name]] <- as.Date(frame[[name]])
    if (type == "tinyint(1)") frame[[name]] <- as.logical(frame[[name]])
  }
  frame
}

# The rows written since `since` (a POSIXct), a minute early: a row's time is that of its statement, not of its commit.
twinrow_newer <- function(con, table, since, columns = "*", overlap_s = 60) {
  from <- format(since - overlap_s, "%Y-%m-%d %H:%M:%S", tz = "UTC")
  twinrow_read(con, table, columns, sprintf("_twinrow_updated_at >= '%s' AND _twinrow_deleted_at IS NULL", from))
}

# Any other statement. RMySQL warns of each DECIMAL that it reads as a double, and of each type that it reads as text.
twinrow_query <- function(con, sql) suppressWarnings(dbGetQuery(con, sql))
