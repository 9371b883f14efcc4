{{- define "awssts.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 50 | trimSuffix "-" }}
{{- end }}

{{/* The release's name, which is not repeated where it says awssts already. Short, for suffixes follow. */}}
{{- define "awssts.fullname" -}}
{{- $name := include "awssts.name" . }}
{{- $full := ternary .Release.Name (printf "%s-%s" .Release.Name $name) (contains $name .Release.Name) }}
{{- default $full .Values.fullnameOverride | trunc 50 | trimSuffix "-" }}
{{- end }}

{{- define "awssts.labels" -}}
{{ include "awssts.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "awssts.selector" -}}
app.kubernetes.io/name: {{ include "awssts.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "awssts.serviceAccountName" -}}
{{- if .Values.serviceAccount.create }}
{{- default (include "awssts.fullname" .) .Values.serviceAccount.name }}
{{- else }}
{{- required "serviceAccount.name says which account to use when serviceAccount.create is false" .Values.serviceAccount.name }}
{{- end }}
{{- end }}

{{- define "awssts.image" -}}
{{- with .Values.image -}}
{{ .repository }}{{ if .digest }}@{{ .digest }}{{ else }}:{{ .tag | default $.Chart.AppVersion }}{{ end }}
{{- end }}
{{- end }}

{{/* What Kubernetes calls a restricted pod. */}}
{{- define "awssts.podSecurity" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
seccompProfile: {type: RuntimeDefault}
{{- end }}

{{- define "awssts.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
capabilities: {drop: [ALL]}
seccompProfile: {type: RuntimeDefault}
{{- end }}

{{/* With seconds: endpoints are taken away while a pod sleeps, so that it closes its port only when nobody calls it. */}}
{{- define "awssts.preStop" -}}
lifecycle:
  preStop: {sleep: {seconds: {{ . }}}}
{{- end }}

{{/* With a selector of pods: over nodes and zones, where that is possible; old pods don't count in a rollout. */}}
{{- define "awssts.spread" -}}
{{- range list "kubernetes.io/hostname" "topology.kubernetes.io/zone" }}
- topologyKey: {{ . }}
  maxSkew: 1
  whenUnsatisfiable: ScheduleAnyway
  matchLabelKeys: [pod-template-hash]
  labelSelector:
    matchLabels:
      {{- $ | nindent 6 }}
{{- end }}
{{- end }}

{{/* With the values of operator or gateway: where its pods may run. */}}
{{- define "awssts.placement" -}}
{{- range $name := list "nodeSelector" "affinity" "tolerations" }}
{{- with get $ $name }}
{{ $name }}:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}
{{- end }}

{{/* With name, selector and root: one pod at a time, and one that is not ready holds up no drain. */}}
{{- define "awssts.pdb" -}}
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  name: {{ .name }}
  namespace: {{ .root.Release.Namespace }}
  labels:
    {{- include "awssts.labels" .root | nindent 4 }}
spec:
  maxUnavailable: 1
  unhealthyPodEvictionPolicy: AlwaysAllow
  selector:
    matchLabels:
      {{- .selector | nindent 6 }}
{{- end }}

{{/* What cannot work together is said before anything is installed. */}}
{{- define "awssts.check" -}}
{{- if and (not .Values.leaderElection.enabled) (gt (int .Values.operator.replicas) 1) }}
{{- fail "operator.replicas must be 1 without leaderElection.enabled: two operators at once would both call STS and write" }}
{{- end }}
{{- if and (gt (int .Values.operator.shards) 1) (not .Values.leaderElection.enabled) }}
{{- fail "operator.shards takes leaderElection.enabled" }}
{{- end }}
{{- if and .Values.webhooks.certManager.enabled (not .Values.webhooks.enabled) }}
{{- fail "webhooks.certManager.enabled takes webhooks.enabled" }}
{{- end }}
{{- if and .Values.gateway.enabled (not .Values.gateway.tlsSecretName) }}
{{- fail "gateway.tlsSecretName must name a Secret with the gateway's certificate: it takes passwords and codes" }}
{{- end }}
{{- $selecting := list "app.kubernetes.io/name" "app.kubernetes.io/instance" "app.kubernetes.io/component" "awssts.dev/shard" }}
{{- $ours := concat $selecting (list "app.kubernetes.io/version" "app.kubernetes.io/managed-by" "helm.sh/chart") }}
{{- include "awssts.checkLabels" (list "commonLabels" .Values.commonLabels $ours) }}
{{- range tuple "operator" "gateway" }}
{{- include "awssts.checkLabels" (list (printf "%s.podLabels" .) (get $.Values .).podLabels $selecting) }}
{{- end }}
{{- range tuple "serviceMonitor" "prometheusRule" "dashboard" }}
{{- include "awssts.checkLabels" (list (printf "metrics.%s.labels" .) (get $.Values.metrics .).labels $ours) }}
{{- end }}
{{- range tuple "serviceMonitor" "prometheusRule" }}
{{- if and (get $.Values.metrics .).enabled (not $.Values.metrics.enabled) }}
{{- fail (printf "metrics.%s.enabled takes metrics.enabled" .) }}
{{- end }}
{{- end }}
{{- end }}

{{/* With the path of labels, the labels, and keys that they must not have. */}}
{{- define "awssts.checkLabels" -}}
{{- range $key := keys (index . 1) | sortAlpha }}
{{- if has $key (index $ 2) }}
{{- fail (printf "%s must not have %s: the chart sets it" (index $ 0) $key) }}
{{- end }}
{{- end }}
{{- end }}
