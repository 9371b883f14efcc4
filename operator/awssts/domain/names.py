"""The names awssts uses in the API: group, labels and annotations."""

from typing import Final

GROUP: Final = "awssts.dev"
VERSION: Final = "v1alpha1"
API_VERSION: Final = f"{GROUP}/{VERSION}"
KIND: Final = "AwsStsRequest"
PLURAL: Final = "awsstsrequests"
POLICY_KIND: Final = "AwsStsPolicy"
POLICY_PLURAL: Final = "awsstspolicies"
FIELD_MANAGER: Final = "awssts"

TYPE_LABEL: Final = f"{GROUP}/type"  # on Secrets: target, session, record, credentials, device, user
TARGET: Final = "target"
SESSION: Final = "session"
RECORD: Final = "record"
CREDENTIALS: Final = "credentials"

# What a target Secret says of itself; with it the status can be rebuilt and a restart reads nothing.
REQUEST: Final = f"{GROUP}/request"
ACCESS_KEY_ID: Final = f"{GROUP}/access-key-id"
ISSUED_AT: Final = f"{GROUP}/issued-at"
EXPIRATION: Final = f"{GROUP}/expiration"
INPUTS_DIGEST: Final = f"{GROUP}/inputs-digest"
KEY_DIGEST: Final = f"{GROUP}/key-digest"
CONTENT_DIGEST: Final = f"{GROUP}/content-digest"
CONTENT_KEYS: Final = f"{GROUP}/content-keys"
LIFE_DIGEST: Final = f"{GROUP}/life-digest"  # of the key's id and of the moments here: to see them altered
CREDENTIALS_DIGEST: Final = f"{GROUP}/credentials-digest"
LAYOUT_DIGEST: Final = f"{GROUP}/layout-digest"
SESSION_EXPIRATION: Final = f"{GROUP}/session-expiration"  # of the MFA session a role was assumed from
RENEWED: Final = f"{GROUP}/renewed"  # the request's ``renew`` that these credentials answer

POLICY_GUARD: Final = f"{GROUP}/policy-guard"  # digest of what policies were judged by
POLICY_OUTCOME: Final = f"{GROUP}/policy-outcome"  # what they came to, as far as it decides over an issuance

# What a session Secret and a device's record say of themselves.
DEVICE: Final = f"{GROUP}/mfa-device"
STEP: Final = f"{GROUP}/totp-step"
CODES: Final = f"{GROUP}/used-codes"

RESTARTED_FOR: Final = f"{GROUP}/restarted-for"  # on pod templates of rolloutRestart: digest of the Secret's content

# What a user writes on a request.
RENEW: Final = f"{GROUP}/renew"

TOKEN_CODE: Final = f"{GROUP}/token-code"
LAST_APPLIED: Final = "kubectl.kubernetes.io/last-applied-configuration"  # kubectl's: it repeats all other annotations
