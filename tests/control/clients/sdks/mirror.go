// Somebody's program with the AWS SDK for Go: mirroring is set up, looked at, changed and taken away.
// mirror SOURCE COLLECTOR, and prints what it saw as JSON.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"log"
	"os"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/smithy-go"
)

var ctx = context.Background()

func must[T any](value T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return value
}

func endpoint(service, region string, options ...interface{}) (aws.Endpoint, error) {
	return aws.Endpoint{URL: os.Getenv("AWS_ENDPOINT_URL"), SigningRegion: region}, nil
}

func makeFilters(client *ec2.Client, count int) []string {
	var made []string
	for number := 0; number < count; number++ {
		filter := must(client.CreateTrafficMirrorFilter(ctx, &ec2.CreateTrafficMirrorFilterInput{}))
		made = append(made, *filter.TrafficMirrorFilter.TrafficMirrorFilterId)
	}
	must(client.ModifyTrafficMirrorFilterNetworkServices(ctx, &ec2.ModifyTrafficMirrorFilterNetworkServicesInput{
		TrafficMirrorFilterId: &made[0],
		AddNetworkServices:    []types.TrafficMirrorNetworkService{types.TrafficMirrorNetworkServiceAmazonDns},
	}))
	must(client.CreateTrafficMirrorFilterRule(ctx, &ec2.CreateTrafficMirrorFilterRuleInput{
		TrafficMirrorFilterId: &made[0],
		TrafficDirection:      types.TrafficDirectionIngress,
		RuleNumber:            aws.Int32(7),
		RuleAction:            types.TrafficMirrorRuleActionAccept,
		Protocol:              aws.Int32(6),
		DestinationPortRange:  &types.TrafficMirrorPortRangeRequest{FromPort: aws.Int32(443), ToPort: aws.Int32(443)},
		SourceCidrBlock:       aws.String("0.0.0.0/0"),
		DestinationCidrBlock:  aws.String("0.0.0.0/0"),
	}))
	return made
}

func makeSession(client *ec2.Client, source, filter, target *string) *string {
	made := must(client.CreateTrafficMirrorSession(ctx, &ec2.CreateTrafficMirrorSessionInput{
		NetworkInterfaceId:    source,
		TrafficMirrorFilterId: filter,
		TrafficMirrorTargetId: target,
		SessionNumber:         aws.Int32(1),
		VirtualNetworkId:      aws.Int32(4660),
		PacketLength:          aws.Int32(128),
		Description:           aws.String("first"),
	}))
	must(client.ModifyTrafficMirrorSession(ctx, &ec2.ModifyTrafficMirrorSessionInput{
		TrafficMirrorSessionId: made.TrafficMirrorSession.TrafficMirrorSessionId,
		SessionNumber:          aws.Int32(2),
		RemoveFields: []types.TrafficMirrorSessionField{
			types.TrafficMirrorSessionFieldPacketLength,
			types.TrafficMirrorSessionFieldDescription,
		},
	}))
	return made.TrafficMirrorSession.TrafficMirrorSessionId
}

func main() {
	source, collector := os.Args[1], os.Args[2]
	resolver := aws.EndpointResolverWithOptionsFunc(endpoint)
	client := ec2.NewFromConfig(must(config.LoadDefaultConfig(ctx, config.WithEndpointResolverWithOptions(resolver))))
	seen := map[string]any{}

	target := must(client.CreateTrafficMirrorTarget(ctx, &ec2.CreateTrafficMirrorTargetInput{
		NetworkInterfaceId: &collector,
		TagSpecifications: []types.TagSpecification{{
			ResourceType: types.ResourceTypeTrafficMirrorTarget,
			Tags:         []types.Tag{{Key: aws.String("Name"), Value: aws.String("a & b")}},
		}},
	})).TrafficMirrorTarget
	seen["tag"] = *target.Tags[0].Value

	filters := makeFilters(client, 6)
	var pages []int
	pager := ec2.NewDescribeTrafficMirrorFiltersPaginator(
		client, &ec2.DescribeTrafficMirrorFiltersInput{MaxResults: aws.Int32(5)})
	for pager.HasMorePages() {
		page := must(pager.NextPage(ctx))
		pages = append(pages, len(page.TrafficMirrorFilters))
		for _, each := range page.TrafficMirrorFilters {
			if *each.TrafficMirrorFilterId == filters[0] {
				seen["services"] = each.NetworkServices
				seen["ports"] = []int32{*each.IngressFilterRules[0].DestinationPortRange.FromPort}
			}
		}
	}
	seen["pages"] = pages

	sessionId := makeSession(client, &source, &filters[0], target.TrafficMirrorTargetId)
	session := must(client.DescribeTrafficMirrorSessions(ctx, &ec2.DescribeTrafficMirrorSessionsInput{
		Filters: []types.Filter{{Name: aws.String("session-number"), Values: []string{"2"}}},
	})).TrafficMirrorSessions[0]
	seen["session"] = []any{session.SessionNumber, session.VirtualNetworkId, session.PacketLength, session.Description}

	_, err := client.DeleteTrafficMirrorFilter(ctx, &ec2.DeleteTrafficMirrorFilterInput{TrafficMirrorFilterId: &filters[0]})
	var refused smithy.APIError
	if errors.As(err, &refused) {
		seen["refused"] = refused.ErrorCode()
	}
	must(client.DeleteTrafficMirrorSession(ctx, &ec2.DeleteTrafficMirrorSessionInput{TrafficMirrorSessionId: sessionId}))
	must(client.DeleteTrafficMirrorTarget(
		ctx, &ec2.DeleteTrafficMirrorTargetInput{TrafficMirrorTargetId: target.TrafficMirrorTargetId}))
	for _, each := range filters {
		must(client.DeleteTrafficMirrorFilter(ctx, &ec2.DeleteTrafficMirrorFilterInput{TrafficMirrorFilterId: aws.String(each)}))
	}
	if err := json.NewEncoder(os.Stdout).Encode(seen); err != nil {
		log.Fatal(err)
	}
}
