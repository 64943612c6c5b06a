"""What in a script's line is a password: in shells, connection strings, files and SQL."""

import time

import pytest

from pgpool_recovery.in_server.masked_text import masked

SECRET = "s3cr3t"


@pytest.mark.parametrize(
    "line",
    [
        "+ PGPASSWORD=@",
        "+ PGPASSWORD=@ psql -h x",
        "+ PGPASSWORD='@ a' psql",
        "PGPASSWORD=$'a\\'@' psql",
        "+ PGPASSWORD='it'\\''@' psql",
        "+ PGPASSWORD=''\\''@' psql",
        "+ PGPASSWORD=''\\'''\\''a @' psql",
        "++ export PGPASSWORD=@; ls",
        "+ export 'PGPASSWORD=@ b'",
        "+ psql 'host=x password=@ dbname=d' -c 'select 1'",
        "+ psql 'host=x password=a&@ dbname=d' -c 'select 1'",
        "+ psql 'host=x password=a;@'",
        "host=x password=a,)}|@",
        "+ psql 'host=x password='\\''a @'\\'' dbname=d'",
        "primary_conninfo = 'host=a password=''@'' user=y'",
        'primary_conninfo = "user=a password=@"',
        "recovery_password = '@'",
        "sr_check_password=@",
        '{"password": "@", "user": "a"}',
        "password: @",
        "POSTGRES_PASSWORD=@ POSTGRES_USER=a",
        "SSHPASS=@ sshpass -e ssh x",
        "sshpass -p@ ssh x",
        "sshpass -p '@' ssh x",
        "mysql --password=@",
        "tool --db-password @ -h x",
        "ALTER ROLE repl PASSWORD '@' LOGIN",
        "CREATE USER repl WITH ENCRYPTED PASSWORD E'@\\'a'",
        "psql postgres://bob:@@h:5432/db",
        "psql postgresql://bob:a/@@[::1]/db",
        "curl -u admin:@ http://x/",
        "h:5432:*:repl:@",
        "*:*:*:postgres:@",
        "\\:\\:1:5432:*:repl:@",
        '{"password": "a\\"b @"}',
        'PGPASSWORD="a\\"b @" psql',
        "+ echo 'h:5432:*:repl:@'",
        "localhost:9898:pgpool:x:@",
        'ssh host "PGPASSWORD=\\"@\\" psql"',
        "docker run -e 'PGPASSWORD=@' img",
        "user=repl;password=@;x",
        "API_TOKEN=@",
        '"/prod/db/password": @',
        "db.password: @",
        "password: No@",
        "password:  'Is a directory @'",
        "+ AWS_ACCESS_KEY_ID=AKIA AWS_SECRET_ACCESS_KEY=@ aws s3 cp s3://b/f p",
        "AZURE_STORAGE_KEY=@ az storage blob download",
        "AZURE_STORAGE_ACCESS_KEY='@' wal-g wal-fetch f p",
        "AZURE_STORAGE_CONNECTION_STRING='AccountName=a;AccountKey=@;EndpointSuffix=x' az",
        "az storage blob download --account-key @ --name f",
        "tool --secret-key @ get f",
        "rclone --s3-secret-access-key @ copyto r:f p",
        "tool --session-token '@ b' get f",
        "gpg --batch --passphrase @ -d f",
        "pgbackrest --repo1-cipher-pass @ archive-get f p",
        "repo1-azure-key=@",
        "openssl enc -d -pass pass:@ -in f",
        "openssl rsa -passin 'pass:a @' -in f",
        'sh -c "openssl enc -pass pass:@"',
    ],
)
def test_password_is_masked(line: str) -> None:
    shown = masked(line.replace("@@", f"{SECRET}@").replace("@", SECRET, 1).encode()).decode()
    if "@@" in line:
        shown = masked(line.replace("@@", f"{SECRET}@").encode()).decode()
    assert SECRET not in shown
    assert "********" in shown


@pytest.mark.parametrize(
    "line",
    [
        "",
        "pg_basebackup: base backup completed",
        "2026-11-28 00:43:29.123 UTC [12] LOG:  checkpoint starting: time",
        'FATAL:  password authentication failed for user "repl"',
        "fe_sendauth: no password supplied",
        "Password for user postgres: ",
        "PGPASSFILE=/home/postgres/.pgpass passfile=/x",
        "PWD=/var/lib/postgresql",
        "scp a:/b c:/d",
        "curl http://host:80/path",
        "+ chown postgres:postgres /data",
        "postgres:x:101:103:PostgreSQL:/var/lib:/bin/bash",
        "rsync: 10:20:30",
        'Could not read the pass file "/root/.pcppass": No such file or directory.',
        "cat: /home/postgres/.pgpass:  Permission denied",
        "cat: /etc/secret: Is a directory",
        "+ AWS_ACCESS_KEY_ID=AKIA aws s3 cp s3://b/f p",
        "ERROR:  duplicate key value violates unique constraint: Key (id)=(1)",
        "gpg --passphrase-file /etc/key --secret-keyring /etc/ring -d f",
        "openssl enc -d -pass file:/etc/key -in f",
        "ssh -i /etc/key -o IdentityFile=/etc/key h",
    ],
)
def test_other_text_stays(line: str) -> None:
    assert masked(line.encode()) == line.encode()


def test_bytes_that_are_no_text_stay() -> None:
    assert masked(b"PGPASSWORD=\xe4\xff x \xe4\xff") == b"PGPASSWORD=******** x \xe4\xff"


@pytest.mark.parametrize(
    "line",
    [
        b"password='" * 6000,
        b"password=\\'" * 6000,
        b"password=x" + b"'" * 60000,
        b"''password=''" * 5000,
        b"a:1:b:c:" * 8000,
        b"pw " + b"(" * 60000,
        b"password=" + b"''\\''" * 12000,
        b"x://a:" * 10000,
        b"pw " + b"x.y" * 20000,
        b"curl -u a" * 7000,
        b"--a-" * 15000,
        b"--token" + b"-secret" * 9000,
        b"--secret " * 7000,
        b" -pass" * 10000,
        b" -pass pass:'" * 5000,
        b"key " + b"account_" * 8000,
        b"curl " * 100 + b"-u" * 3800,
        b"curl " * 100 + b"-u" + b"=" * 60000,
    ],
)
def test_long_line_takes_no_time(line: bytes) -> None:
    """The author of the line may choose it, and a cancel has to wait that long.

    The time is CPU time. The slowest line takes 1 s; without limits in the patterns, it would be
    between 8 s and minutes.
    """
    began_s = time.process_time()
    masked(line)
    assert time.process_time() - began_s < 4
