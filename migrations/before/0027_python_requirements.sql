-- Names of Python packages have extras (uvicorn[standard]), and their ranges commas and exclamation marks (>=1,!=1.3).

alter table deployment
    drop constraint deployment_package_name_is_plain,
    drop constraint deployment_package_version_is_plain;
alter table deployment
    add constraint deployment_package_name_is_plain check (
        package_name ~ '^((@[A-Za-z0-9~][A-Za-z0-9._~-]*/)?[A-Za-z0-9_~][A-Za-z0-9._~-]*(\[[A-Za-z0-9._-]+(,[A-Za-z0-9._-]+)*\])?)?$'
        and length(package_name) <= 214
    ) not valid,
    add constraint deployment_package_version_is_plain check (
        package_version ~ '^([A-Za-z0-9~^<>=!*][A-Za-z0-9._+~^<>=!*|, -]*)?$' and length(package_version) <= 128
    ) not valid;

comment on constraint deployment_package_name_is_plain on deployment is
    'Letters, digits, . _ ~ and -, with one scope (@scope/name) or none, and [extras] or none, at most 214 characters: no path, no option.';
comment on constraint deployment_package_version_is_plain on deployment is
    'A version, a range or a tag of at most 128 characters: no path, no option.';
