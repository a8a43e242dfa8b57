package ingress

type seen struct{}
