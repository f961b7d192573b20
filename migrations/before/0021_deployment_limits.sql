-- What a row may contain. The constraints are not validated, because an old row may break a rule; it is refused at its
-- next change.

alter table deployment
    add constraint deployment_package_name_is_plain check (
        package_name ~ '^((@[A-Za-z0-9~][A-Za-z0-9._~-]*/)?[A-Za-z0-9_~][A-Za-z0-9._~-]*)?$' and length(package_name) <= 214
    ) not valid,
    add constraint deployment_package_version_is_plain check (
        package_version ~ '^([A-Za-z0-9~^<>=*][A-Za-z0-9._+~^<>=*| -]*)?$' and length(package_version) <= 128
    ) not valid,
    add constraint deployment_command_is_at_most_64_kib check (octet_length(command) <= 65536) not valid,
    add constraint deployment_args_are_at_most_256_kib check (octet_length(args::text) <= 262144) not valid,
    add constraint deployment_env_is_at_most_256_kib check (octet_length(env::text) <= 262144) not valid,
    add constraint deployment_env_names_are_not_empty_and_without_equals_sign check (
        not jsonb_path_exists(env, 'lax $.keyvalue() ? (@.key == "" || @.key like_regex "=")')
    ) not valid;

comment on constraint deployment_package_name_is_plain on deployment is
    'Letters, digits, . _ ~ and -, with one scope (@scope/name) or none, at most 214 characters: no path, no option.';
comment on constraint deployment_package_version_is_plain on deployment is
    'A version, a range or a tag of at most 128 characters: no path, no option.';
