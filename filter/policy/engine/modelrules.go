package engine

// foundModel takes the model that the body names, unless a header or the path has
// named one already. Redaction that this model wants then covers what was read
// before, too.
func (s *Stream) foundModel() error {
	if s.early || s.in.model.n == 0 && !s.in.model.over {
		return nil
	}
	if !s.setModel(&s.in.model) {
		return errReplied
	}
	if s.out.redacting || s.program.uniform {
		return nil
	}
	if rules := s.modelRules(); rules != nil {
		err := s.out.redactAgain(rules)
		s.in.modelAt = extent{s.out.replay.began, s.out.written}
		return err
	}
	return nil
}

// modelRules returns the redaction rules of the model, nil if there are none.
func (s *Stream) modelRules() *bodyRules { return s.program.bodyRules(s.model) }

// bodyRules returns the rules for requests to a model, nil if there are none.
func (p *Program) bodyRules(model int) *bodyRules {
	if i := p.models[model].redaction; i >= 0 && p.rules[i].values != nil {
		return &p.rules[i]
	}
	return nil
}

// rulesKnown returns the rules that apply before the body is read: those of a
// model that is known, or those of all models if they are the same.
func (s *Stream) rulesKnown() *bodyRules {
	switch {
	case s.model >= 0:
		return s.modelRules()
	case s.program.uniform && len(s.program.models) > 0:
		return s.program.bodyRules(0)
	}
	return nil
}
