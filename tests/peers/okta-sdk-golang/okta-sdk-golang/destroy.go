package main

import (
	"fmt"

	"github.com/okta/okta-sdk-golang/v5/okta"
)

// destroy removes everything, and asks for what is no more.
func (o *organization) destroy() (*summary, error) {
	found, err := o.find()
	if err != nil {
		return nil, err
	}
	user, _, err := o.UserAPI.GetUser(o.context(), found.UserID).Execute()
	if err != nil {
		return nil, told("get the person", err)
	}
	type step struct {
		doing string
		do    func() (*okta.APIResponse, error)
	}
	servers := o.AuthorizationServerAPI
	steps := []step{
		{"deactivate the application", o.ApplicationAPI.DeactivateApplication(o.context(), found.AppID).Execute},
		{"delete the application", o.ApplicationAPI.DeleteApplication(o.context(), found.AppID).Execute},
		{"deactivate the server", servers.DeactivateAuthorizationServer(o.context(), found.ServerID).Execute},
		{"delete the server", servers.DeleteAuthorizationServer(o.context(), found.ServerID).Execute},
	}
	for _, group := range found.GroupIDs {
		steps = append(steps, step{"delete a group", o.GroupAPI.DeleteGroup(o.context(), group).Execute})
	}
	if user.Profile.GetNickName() == mark {
		steps = append(steps,
			step{"deactivate the person", o.UserAPI.DeactivateUser(o.context(), found.UserID).Execute},
			step{"delete the person", o.UserAPI.DeleteUser(o.context(), found.UserID).Execute})
	}
	for _, step := range steps {
		if _, err := step.do(); err != nil {
			return nil, told(step.doing, err)
		}
	}
	_, answer, err := o.ApplicationAPI.GetApplication(o.context(), found.AppID).Execute()
	if err := gone("the application", answer, err); err != nil {
		return nil, err
	}
	_, answer, err = servers.GetAuthorizationServer(o.context(), found.ServerID).Execute()
	if err := gone("the server", answer, err); err != nil {
		return nil, err
	}
	_, answer, err = o.GroupAPI.GetGroup(o.context(), found.GroupIDs[0]).Execute()
	return found, gone("the group", answer, err)
}

func gone(what string, answer *okta.APIResponse, err error) error {
	if notFound(answer, err) {
		return nil
	}
	return fmt.Errorf("%s should be gone: %v", what, told("get it", err))
}
