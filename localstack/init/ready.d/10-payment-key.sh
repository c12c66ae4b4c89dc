#!/bin/sh
# Puts the local payment key and the webhook's secret where the template expects them, so that a stack deployed by hand works too.
set -eu
awslocal ssm put-parameter --name /boxoffice/local/stripe-secret-key --type SecureString --overwrite \
    --value sk_test_boxoffice_local
awslocal ssm put-parameter --name /boxoffice/local/stripe-webhook-secrets --type SecureString --overwrite \
    --value whsec_boxoffice_local
