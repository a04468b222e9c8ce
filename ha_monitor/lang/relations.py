"""The relations that are known without a schema file: which type the id in a field points to.

Facts of gohan's schemas, as a table ``field -> target: types that have the field``. Looking them up, and the rule
for names that no table has, is :mod:`ha_monitor.lang.catalog`'s.
"""

from __future__ import annotations

_TABLE = """
associated_uplink_id -> ha_interface: internet_gateway
aws_gw_id -> aws_gateway: aws_interface gw_interface static_route
aws_service_id -> aws_service: qos_option aws_gateway
azure_gw_id -> azure_gateway: azure_interface gw_interface static_route
azure_service_id -> azure_service: qos_option azure_gateway
colocation_physical_link_id -> colocation_physical_link: colocation_logical_link
colocation_space_id -> colocation_space: colocation_physical_link hosting_physical_link
common_function_pool_id -> common_function_pool: nat_ip_pool common_function common_function_gateway
connected_ese_port_id -> ese_physical_port: er_physical_interface
device_id -> edge_router: er_physical_interface
downlink_interface_id -> ha_interface: vpn_gateway aws_gateway azure_gateway gcp_gateway internet_gateway
   common_function_gateway interdc_gateway
ese_device_id -> ese_device: ese_physical_port
ese_logical_port_id -> ese_logical_port: local_subnet
ese_physical_port_id -> ese_physical_port: ese_logical_port
firewall_id -> firewall: firewall_interface
firewall_plan_id -> firewall_plan: firewall
gcp_gw_id -> gcp_gateway: gcp_interface gw_interface static_route
gcp_service_id -> gcp_service: qos_option gcp_gateway
ha_router_id -> ha_router: ha_interface nat_ip_pool common_function public_ip_pool qos_option
hosting_physical_link_id -> hosting_physical_link: hosting_logical_link
interdc_gw_id -> interdc_gateway: interdc_interface gw_interface static_route
interdc_service_id -> interdc_service: qos_option interdc_gateway
internet_gw_id -> internet_gateway: public_ip gw_interface static_route
internet_service_id -> internet_service: public_ip_pool qos_option internet_gateway
ip_pool_id -> public_ip_pool: suspended_public_ip public_ip
load_balancer_conf_id -> load_balancer_conf: load_balancer
load_balancer_id -> load_balancer: load_balancer_interface load_balancer_syslog_server
load_balancer_plan_id -> load_balancer_plan: load_balancer_conf load_balancer
location -> location: ese_device
network_id -> network: subnet port ese_logical_port local_subnet gw_interface vnf_interface firewall_interface
   load_balancer_interface colocation_logical_link hosting_logical_link
parent_billing_id -> billing_resource: billing_resource
port_id -> port: vnf_interface
primary_interface_id -> er_physical_interface: ha_interface
primary_router_id -> edge_router: ha_router
public_ip_id -> public_ip: gw_interface static_route
qos_option_id -> qos_option: vpn_gateway aws_gateway azure_gateway gcp_gateway internet_gateway interdc_gateway
secondary_interface_id -> er_physical_interface: ha_interface
secondary_router_id -> edge_router: ha_router
suspended_public_ip_id -> suspended_public_ip: public_ip
tenant_id -> tenant: billing_usage
type_a_ese_physical_port_id -> ese_physical_port: colocation_physical_link hosting_physical_link
type_a_physical_port_id -> physical_port: colocation_physical_link hosting_physical_link
type_a_port_id -> port: colocation_logical_link hosting_logical_link
type_b_ese_physical_port_id -> ese_physical_port: colocation_physical_link hosting_physical_link
type_b_physical_port_id -> physical_port: colocation_physical_link hosting_physical_link
type_b_port_id -> port: colocation_logical_link hosting_logical_link
uplink_interface_id -> ha_interface: vpn_gateway aws_gateway azure_gateway gcp_gateway interdc_gateway
   internet_gateway common_function_gateway
vnf_instance_id -> vnf_instance: vnf_interface firewall load_balancer_conf load_balancer
vnf_interface_id -> vnf_interface: firewall_interface load_balancer_interface
vnf_plan_id -> vnf_plan: vnf_instance firewall_plan load_balancer_plan
vnf_template_id -> vnf_template: vnf_instance firewall_plan load_balancer_plan
vpn_gw_id -> vpn_gateway: vpn_interface gw_interface static_route
vpn_service_id -> vpn_service: qos_option vpn_gateway
"""


def builtin_relations() -> dict[str, dict[str, str]]:
    """Return the table as ``{type: {field: target type}}``, a fresh one each time."""
    relations: dict[str, dict[str, str]] = {}
    for line in _TABLE.strip().replace("\n  ", "").splitlines():
        head, _, types = line.partition(":")
        field, _, target = head.partition(" -> ")
        for type_ in types.split():
            relations.setdefault(type_, {})[field] = target
    return relations
