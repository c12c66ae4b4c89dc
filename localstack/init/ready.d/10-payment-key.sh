#!/bin/sh
# Puts the local payment key where the template expects it, so that a stack deployed by hand works too.
set -eu
awslocal ssm put-parameter --name /boxoffice/local/stripe-secret-key --type SecureString --overwrite \
    --value sk_test_boxoffice_local
