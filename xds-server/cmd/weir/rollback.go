package main

import (
	"context"
	"fmt"

	adminv1 "github.com/weirmesh/weir/xds-server/api/admin/v1"
)

// runRollback is `weir rollback N`: it puts an earlier configuration in force.
func runRollback(ctx context.Context, i *invocation) error {
	var f operatorFlags
	f.register(i.flags)
	reason := i.flags.String("reason", "", "why, in one `line`; kept in the history")
	words, err := i.words()
	if err != nil {
		return err
	}
	if len(words) != 1 {
		return usagef("weir rollback: name one revision: weir get snapshots lists their numbers")
	}
	number, err := parseRevision(words[0])
	if err != nil {
		return err
	}
	return f.do(ctx, i, func(ctx context.Context, client adminv1.AdminClient) (string, error) {
		resp, err := client.Rollback(ctx, &adminv1.RollbackRequest{Number: number, Reason: *reason})
		return fmt.Sprintf("revision %d is in force, with the content of %d. It is held until weir resume\n", resp.GetRevision().GetNumber(), resp.GetRevision().GetRollbackOf()), err
	})
}

// runResume is `weir resume`: it ends a rollback.
func runResume(ctx context.Context, i *invocation) error {
	var f operatorFlags
	f.register(i.flags)
	reason := i.flags.String("reason", "", "why, in one `line`; kept in the history")
	words, err := i.words()
	if err != nil {
		return err
	}
	if len(words) != 0 {
		return usagef("weir resume: %q is not a flag", words[0])
	}
	return f.do(ctx, i, func(ctx context.Context, client adminv1.AdminClient) (string, error) {
		resp, err := client.Resume(ctx, &adminv1.ResumeRequest{Reason: *reason})
		return fmt.Sprintf("the sources count again; revision %d is in force\n", resp.GetInForce()), err
	})
}

// do makes one call and says what came of it.
func (f *operatorFlags) do(ctx context.Context, i *invocation, call func(context.Context, adminv1.AdminClient) (string, error)) error {
	client, release, err := f.connect(ctx, i)
	if err != nil {
		return err
	}
	defer release()
	bounded, cancel := context.WithTimeout(ctx, callWait)
	defer cancel()
	text, err := call(bounded, client)
	if err != nil {
		if stopped := ctx.Err(); stopped != nil {
			return fmt.Errorf("interrupted: the server may have done it all the same: weir get status says so: %w", stopped)
		}
		return f.explain(ctx, err)
	}
	if _, err := fmt.Fprint(i.stdout, text); err != nil {
		return fmt.Errorf("write: %w", err)
	}
	return nil
}
