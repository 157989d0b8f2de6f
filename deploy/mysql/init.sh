#!/bin/sh
# The stand-in of the lessons database: its empty table, and the user by which the platform reads it.
# With a database of your own, its administrator runs the last two statements there.
set -eu
reader_password=$(cat "$READER_PASSWORD_FILE")
case $reader_password in
'' | *[!A-Za-z0-9]*) echo "$READER_PASSWORD_FILE: letters and digits only." >&2; exit 1 ;;
esac
# By environment and standard input: arguments can be read by every user of the machine.
MYSQL_PWD=$MYSQL_ROOT_PASSWORD mysql --user=root <<SQL
CREATE DATABASE lessons CHARACTER SET utf8mb4;
CREATE TABLE lessons.lesson_completion (
    completion_id int AUTO_INCREMENT PRIMARY KEY, user_id int NOT NULL, lesson_id int NOT NULL,
    completion_date date NOT NULL, KEY lesson_completion_completion_date (completion_date)
);
CREATE USER 'reader'@'%' IDENTIFIED BY '$reader_password';
GRANT SELECT ON lessons.lesson_completion TO 'reader'@'%';
SQL
