# All targets are those of PGXS, in the directory of the extensions; see README.md.
all install installdirs uninstall clean installcheck:
	@$(MAKE) -C extension $@

.PHONY: all install installdirs uninstall clean installcheck
